"""LEV-01's analysis with one step done otherwise: loads are found where their words stand in the bytes.

LEV-01 runs a query over the whole tree, a fifth of an analysis. Each load has `require`, `import` or `export` in its
bytes: a search finds those, and the tree says what stands there. Facts are the same, as with names in LEV-01's scopes.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import prefilter

from gates.runtime import levers

lever = levers.load("lev_01_compat_cache", "analyser", "grammars", "scopes", "syntax", "vocabulary")

Captured = dict[str, list[Any]]
"""What LEV-01's query gives for one load: name of the capture to its nodes, the statement's first."""

WORDS = {word: prefilter.search(word) for word in ("import", "export", "require")}
FEWER_WORDS = WORDS | {"require": prefilter.search("require", rb"(?!" + prefilter.OTHER_CALL + rb")")}
"""Without `require` of a plain string that is no builtin's name: most of what there is, and nothing to the analysis."""

STATEMENTS = {"import_statement": "import", "export_statement": "export"}


def facts_of(source: bytes, dialect: str) -> Any:
    """LEV-01's `[flags, uses]` of one source; `[["not-parsed"], []]` where no builtin can be used."""
    words = prefilter.globals_in(source)
    if not words and prefilter.loads_nothing(source):
        return [[prefilter.FLAG], []]
    return analyse(source, dialect, words)


def analyse(source: bytes, dialect: str, words: Sequence[str]) -> Any:
    """LEV-01's `[flags, uses]` of one source, in which these globals' names stand."""
    parser, _ = lever.grammars.engine(dialect)
    analysis = Analysis(parser.parse(source).root_node, source)
    analysis.loads_by_words()
    analysis.names_from(words)
    return analysis.facts()


class Analysis(lever.analyser.Analysis):  # type: ignore[misc]  # a class of a module that is loaded by name
    """The facts of one syntax tree while they are being collected."""

    def loads_by_words(self) -> None:
        """Record all loads of builtin modules, and which names they bind; what `loads` does with a query."""
        loads = list(found(self._root, self._source))
        if not loads:
            return
        required = lever.scopes.Name(self._root, self._source, "require", self._created_requires())
        for captured in loads:
            if "call" in captured:
                callee = captured["callee"][0]
                if callee.type == "import" or lever.analyser._is_require(required, callee):
                    self._call(captured["call"][0], captured["arguments"][0], callee.type == "import")
            elif (module := lever.vocabulary.builtin(lever.syntax.literal(captured["source"][0]))) is not None:
                self._declared_load(module, captured)

    def names_from(self, words: Sequence[str]) -> None:
        """What `names` does, which looks for each global in the source once more."""
        waiting = self._bound.union(words)
        while waiting:
            self._bound = set()
            for word in sorted(waiting):
                self._name(word)
            waiting = self._bound


def found(root: Any, source: bytes) -> Iterator[Captured]:
    """The loads of a tree in order of their words: the matches of LEV-01's query that can mean anything.

    Where a tree has errors, what looks like one plain string may be anything: none is left out.
    """
    words = WORDS if root.has_error else FEWER_WORDS
    ends = ((match.end(), len(word)) for word, pattern in words.items() for match in pattern.finditer(source))
    for start, end in sorted((end - length, end) for end, length in ends):
        node = root.descendant_for_byte_range(start, end)
        if node is not None and node.start_byte == start and node.end_byte == end and node.parent is not None:
            word = node.parent if node.parent.type == "import" else node  # `import(…)` is a word within a node
            captured = _load(word, word.parent)
            if captured is not None:
                yield captured


def _load(word: Any, parent: Any) -> Captured | None:
    kind = parent.type
    if kind == "call_expression":
        return _call(word, parent)
    source = parent.child_by_field_name("source")
    if source is None or source.type != "string":
        return None
    if kind in STATEMENTS:
        return {STATEMENTS[kind]: [parent], "source": [source]}
    if kind == "import_require_clause":
        names = [child for child in parent.named_children if child.type == "identifier"]
        return {"require": [parent], "name": names, "source": [source]} if names else None
    return None


def _call(word: Any, call: Any) -> Captured | None:
    arguments = call.child_by_field_name("arguments")
    is_load = word.type in ("identifier", "import") and call.child_by_field_name("function") == word
    if not is_load or arguments is None or arguments.type != "arguments":
        return None
    return {"callee": [word], "arguments": [arguments], "call": [call]}
