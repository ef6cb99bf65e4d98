"""Names as they may be shown: functions, files, levers and hosts may hold markup, terminal escapes, newlines.

`clean` is for HTML (Jinja2 escapes the markup afterwards), pictures and the terminal, `markdown`
for Markdown.
"""

import re
import unicodedata

MAX_NAME = 300
_ANSI = re.compile(r"\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)?|\[[0-?]*[ -/]*[@-~]?|[@-Z\\^_]?)|\x9b[0-?]*[ -/]*[@-~]?")
_MARKDOWN = re.compile(r"([\\`*_\[\]|~$]|^[#+=-]|(?<=^\d)[.)])")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_BREAKS = re.compile(r"[\t\r\n\v\f\u0085\u2028\u2029]+")
# Control, format (bidirectional overrides, zero width), surrogate, line and paragraph separators.
_UNSHOWABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_NO_CHARACTERS = frozenset("\ufffe\uffff")
"""Not even XML can hold them."""


def flat(text: str, limit: int = MAX_NAME) -> str:
    """One line that does nothing but show itself: no escapes, no control characters, at most `limit` long."""
    spaced = _BREAKS.sub(" ", _ANSI.sub("", text[: limit * 8]))
    shown = "".join("�" if _is_unshowable(char) else char for char in spaced)
    return shorten(shown, limit)


def clean(text: str, limit: int = MAX_NAME) -> str:
    """`flat`, without spaces around it."""
    return flat(text.strip(), limit).strip()


def _is_unshowable(char: str) -> bool:
    return unicodedata.category(char) in _UNSHOWABLE or char in _NO_CHARACTERS


def shorten(text: str, limit: int) -> str:
    """Keep both ends of a long name: the end of a path or a function tells it from others."""
    if len(text) <= limit:
        return text
    head = (limit - 1) // 2
    return f"{text[:head]}…{text[len(text) - (limit - 1 - head) :]}"


def markdown(text: str, limit: int = MAX_NAME) -> str:
    """`clean`, with every character that Markdown or HTML could take as markup made literal."""
    return _MARKDOWN.sub(r"\\\1", clean(text, limit).translate(_ENTITIES))


def code_block(text: str) -> str:
    """A fenced Markdown block that `text` cannot leave."""
    lines = [clean(line, 2000) for line in text.splitlines()]
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([fence, *lines, fence])


def columns(text: str) -> int:
    """How many columns a terminal gives to cleaned text: wide characters take two, combining marks none."""
    return sum(_char_columns(char) for char in text)


def _char_columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
