"""Words for people about a lever's outputs and names: short, on one line, nothing that acts on a terminal."""

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
