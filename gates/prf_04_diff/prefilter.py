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


def _any(words: set[str] | tuple[str, ...]) -> bytes:
    return b"|".join(re.escape(word).encode() for word in sorted(words))


GLOBAL = re.compile(rb"(?:" + _any(vocabulary.GLOBALS) + rb")(?![\w$])")
NAMED = re.compile(rb"""["'`](?:node:|""" + _any(vocabulary.BUILTINS) + rb")")
ESCAPED = re.compile(rb"""["'`][a-z0-9_:/]*\\[ac-eg-mo-qsuw-z0-9_:/\r\n\xe2]""")
"""Behind the backslash: all but what is another character than those of names (`\\n`, `\\t`, `\\"`, `\\\\` …)."""

PLAIN_CALL = rb"""\s*\(\s*(?:"[^"\\\r\n]*"|'[^'\\\r\n]*')\s*\)"""
LOADED = re.compile(rb"(?:require|import)(?![\w$])(?!" + PLAIN_CALL + rb")\s*[(/?<\x80-\xff]")


def can_use_nothing(source: bytes) -> bool:
    """Whether no builtin can be used, whatever else stands in `source`."""
    if any(pattern.search(source) for pattern in (GLOBAL, NAMED, ESCAPED, LOADED)):
        return False
    try:
        source.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
