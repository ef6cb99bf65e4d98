"""Words for people about a lever's outputs and names: short, on one line, nothing that acts on a terminal."""

from collections.abc import Iterator

_BEFORE, _AFTER = 20, 40
MAX_NAME = 120


def plain(text: str, limit: int = MAX_NAME) -> str:
    """`text` cut short, with all that is not printable escaped: controls, direction marks, surrogates."""
    cut = text[:limit]
    escaped = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)
    return escaped if len(cut) == len(text) else escaped + "…"


def first_difference(left: str, right: str, names: tuple[str, str]) -> str:
    """Where two texts part, with what either side has there."""
    if left == right:
        return "the canonical bytes differ, but not in any way that shows as text"
    at = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    sides = (f"{name} has {_excerpt(text, at)}" for name, text in zip(names, (left, right), strict=True))
    return f"first difference at character {at}: " + ", ".join(sides)


def _excerpt(text: str, at: int) -> str:
    start, end = max(0, at - _BEFORE), at + _AFTER
    shown = plain(text[start:end], _BEFORE + _AFTER)
    return f"{'…' if start else ''}`{shown}`{'…' if end < len(text) else ''}"


def spans(lines: tuple[int, ...]) -> str:
    """Sorted line numbers: `3, 7-9`."""
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in _runs(lines))


def _runs(lines: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """First and last of each run of consecutive numbers."""
    starts = [line for line in lines if line - 1 not in lines]
    ends = [line for line in lines if line + 1 not in lines]
    return zip(starts, ends, strict=True)
