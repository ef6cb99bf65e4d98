"""Which sources can use no builtin, seen from their bytes alone: those need not be parsed.

Sound, and easy to see so, because each pattern finds more than what LEV-01's analyser can come to:

- a use of a global needs its name, and nothing that goes on as a name behind it (`GLOBAL`);
- a use of a module needs a literal whose value is its name: the name stands behind a quote as it is (`NAMED`), or with
  an escape that may stand for one of its characters (`ESCAPED`);
- `dynamic-load` needs a `require` or `import` that is called with something other than one plain string (`LOADED`):
  with a bracket behind it, or with what may hide one (a comment, `?.`, type arguments, what is not ASCII).

What is lost is whether the syntax is sound; the flag `not-parsed` says so. A text that is no UTF-8 is not judged.
"""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gates.runtime import levers

vocabulary = levers.load("lev_01_compat_cache", "vocabulary").vocabulary

FLAG = "not-parsed"
END = rb"(?![\w$])"
"""What goes on as a name is another name."""

COMMON_FIRST = "etaoinshrdlucmfwypvbgkjxqz"
"""Letters as common as they are in source text, roughly; capitals are rarer."""


def search(word: str, then: bytes = b"") -> re.Pattern[bytes]:
    """Finds a word, and what comes `then`; a match begins within the word, and ends where the word does.

    `re` looks for letters many times as fast as for a choice of words, and the faster the rarer the first of them is:
    so there is one pattern a word, from its rarest letter on, behind which the whole word must stand.
    """
    rarest = max(range(len(word)), key=lambda at: (word[at].isupper(), COMMON_FIRST.find(word[at].lower())))
    return re.compile(word[rarest:].encode() + rb"(?<=" + word.encode() + rb")" + END + then)


NAMES = b"|".join(re.escape(word).encode() for word in sorted(vocabulary.BUILTINS))
GLOBAL = {word: search(word) for word in vocabulary.GLOBALS}
NAMED = re.compile(rb"""["'`](?:node:|""" + NAMES + rb")")
ESCAPED = re.compile(rb"""["'`][a-z0-9_:/]*\\[ac-eg-mo-qsuw-z0-9_:/\r\n\xe2]""")
"""Behind the backslash: all but what is another character than those of names (`\\n`, `\\t`, `\\"`, `\\\\` …)."""
MAY_BE_ESCAPED = re.compile(rb"""\\(?<=["'`a-z0-9_:/]\\)[ac-eg-mo-qsuw-z0-9_:/\r\n\xe2]""")
"""The end of what `ESCAPED` finds, found from its backslash: many times as fast, and mostly not there."""

PLAIN_CALL = rb"""\s*\(\s*(?:"[^"\\\r\n]*"|'[^'\\\r\n]*')\s*\)"""
OTHER_CALL = rb"""\s*\(\s*(?:"(?!node:|(?:N)")[^"\\\r\n]*"|'(?!node:|(?:N)')[^'\\\r\n]*')\s*\)""".replace(b"N", NAMES)
"""As `PLAIN_CALL`, but of what is no builtin."""
AS_ELSE = rb"(?!" + PLAIN_CALL + rb")\s*[(/?<\x80-\xff]"
LOADED = [search(word, AS_ELSE) for word in ("require", "import")]


def globals_in(source: bytes) -> list[str]:
    """The globals whose names stand in `source`."""
    return [word for word, found in GLOBAL.items() if found.search(source)]


def can_use_nothing(source: bytes) -> bool:
    """Whether no builtin can be used, whatever else stands in `source`."""
    return not globals_in(source) and loads_nothing(source)


def loads_nothing(source: bytes) -> bool:
    """Whether no builtin module can be loaded."""
    if NAMED.search(source) or any(loaded.search(source) for loaded in LOADED):
        return False
    if MAY_BE_ESCAPED.search(source) and ESCAPED.search(source):
        return False
    return _is_utf8(source)


def _is_utf8(source: bytes) -> bool:
    try:
        source.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
