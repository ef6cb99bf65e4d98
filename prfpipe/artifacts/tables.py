"""Tables of text, for Markdown and for the terminal."""

from collections.abc import Sequence

from prfpipe.artifacts.names import columns

Rows = Sequence[Sequence[str]]


def markdown_table(header: Sequence[str], rows: Rows, *, text_columns: int = 1) -> str:
    """A Markdown table of cells that are already safe; columns after the first `text_columns` align right."""
    rule = [":--" if index < text_columns else "--:" for index in range(len(header))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def text_table(header: Sequence[str], rows: Rows, *, text_columns: int = 1) -> str:
    """Aligned columns for a terminal, two spaces apart, a rule under the header."""
    widths = [max(columns(cells[index]) for cells in (header, *rows)) for index in range(len(header))]
    rule = ["─" * width for width in widths]
    return "\n".join(_line(cells, widths, text_columns) for cells in (header, rule, *rows))


def _line(cells: Sequence[str], widths: Sequence[int], text_columns: int) -> str:
    padded = [
        cell + " " * (width - columns(cell)) if index < text_columns else " " * (width - columns(cell)) + cell
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(padded).rstrip()
