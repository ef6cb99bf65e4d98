"""Parsers and queries by dialect, and the identity of everything that turns a source into facts."""

import hashlib
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import tree_sitter
import tree_sitter_javascript
from tree_sitter import Language, Parser, Query

VERSION = "1"
"""Raise it when facts change for a reason that the sources, grammars and queries here do not show."""

QUERY = """
(import_statement source: (string) @source) @import
(export_statement source: (string) @source) @export
(call_expression function: [(identifier) (import)] @callee arguments: (arguments) @arguments
  (#any-of? @callee "require" "import")) @call
"""
TYPESCRIPT_QUERY = QUERY + "(import_require_clause (identifier) @name source: (string) @source) @require\n"
SOURCES = ("analyser.py", "grammars.py", "scopes.py", "syntax.py", "vocabulary.py")


class Engine(NamedTuple):
    """A parser with its compiled query, made once per grammar and reused."""

    parser: Parser
    query: Query


def _grammar(dialect: str) -> tuple[ModuleType, object, str]:
    if dialect == "js":
        return tree_sitter_javascript, tree_sitter_javascript.language(), QUERY
    import tree_sitter_typescript as typescript  # 3 MB that a JavaScript project never needs

    language = typescript.language_tsx() if dialect == "tsx" else typescript.language_typescript()
    return typescript, language, TYPESCRIPT_QUERY


@cache
def engine(dialect: str) -> Engine:
    """The engine for `js`, `ts` or `tsx`."""
    _, pointer, query = _grammar(dialect)
    language = Language(pointer)
    return Engine(Parser(language), Query(language, query))


def identity(dialect: str) -> list[bytes]:
    """Everything besides the source that facts depend on, for a cache's key.

    Code is named by the digest of its bytes, so no forgotten version number can keep old facts alive.
    """
    package, _, query = _grammar(dialect)
    binaries = [Path(module._binding.__file__) for module in (tree_sitter, package)]
    sources = [Path(__file__).with_name(name) for name in SOURCES]
    digests = [hashlib.sha256(path.read_bytes()).digest() for path in (*binaries, *sources)]
    return [VERSION.encode(), dialect.encode(), query.encode(), *digests]
