"""Names and scopes in a syntax tree: where a name stands, what declares it, what a use of it means.

Only the names that matter are looked at (bound ones and a few globals): a byte search finds where each may
stand, and the tree says what stands there. Comments, strings and property names drop out by their node type.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from syntax import text
from tree_sitter import Node

FUNCTIONS = {
    "function_declaration", "generator_function_declaration", "function_expression", "generator_function",
    "arrow_function", "method_definition",
}  # fmt: skip
VARIABLE_SCOPES = FUNCTIONS | {"class_static_block", "program"}
BLOCKS = VARIABLE_SCOPES | {
    "statement_block", "for_statement", "for_in_statement", "switch_body", "catch_clause",
}  # fmt: skip
PATTERNS = {
    "object_pattern": None, "array_pattern": None, "rest_pattern": None,
    "pair_pattern": "value", "assignment_pattern": "left", "object_assignment_pattern": "left",
}  # fmt: skip
"""Node types that a declared name may stand inside, with the field it must then be."""

PARAMETERS = {"formal_parameters", "required_parameter", "optional_parameter"}
NAMED_STATEMENTS = {
    "function_declaration", "generator_function_declaration", "function_signature", "class_declaration",
    "abstract_class_declaration", "enum_declaration", "internal_module", "module",
}  # fmt: skip
NAMED_EXPRESSIONS = {"function_expression", "generator_function", "class"}
IMPORTS = {"import_clause", "namespace_import", "import_require_clause", "import_alias"}
NAMES = {
    "identifier", "type_identifier", "shorthand_property_identifier",
    "shorthand_property_identifier_pattern",
}  # fmt: skip


class Binding(NamedTuple):
    """What a name stands for: a member path inside a builtin module.

    `interop`: a leading `default` means the module itself (ES imports and compiled ones).
    """

    module: str
    path: tuple[str, ...]
    interop: bool


class Declaration(NamedTuple):
    """A name is declared for the bytes `start` to `end`; `binding` is None when it is no builtin."""

    start: int
    end: int
    binding: Binding | None


@lru_cache(maxsize=1024)
def _search(name: bytes) -> re.Pattern[bytes]:
    return re.compile(re.escape(name) + rb"(?![\w$])")


def occurrences(root: Node, source: bytes, name: str) -> list[Node]:
    """The nodes where `name` stands as a variable, in order."""
    found = []
    word = name.encode()
    for match in _search(word).finditer(source):
        start, end = match.span()
        node = root.descendant_for_byte_range(start, end)
        if node is not None and node.start_byte == start and node.end_byte == end and node.type in NAMES:
            found.append(node)
    return found


def declared_scope(node: Node) -> Node | None:
    """The node over which this occurrence declares its name, or None when it only uses it."""
    top = node
    while (parent := top.parent) is not None and parent.type in PATTERNS:
        field = PATTERNS[parent.type]
        if field is not None and parent.child_by_field_name(field) != top:
            return None
        top = parent
    return None if parent is None else _scope_in(parent, top)


def _scope_in(parent: Node, top: Node) -> Node | None:
    kind = parent.type
    if kind == "variable_declarator":
        return _variable_scope(parent) if _is_field(parent, "name", top) else None
    if kind in PARAMETERS:
        return None if _is_field(parent, "value", top) else enclosing(parent, FUNCTIONS)
    if kind == "arrow_function":
        return parent if _is_field(parent, "parameter", top) else None
    if kind == "catch_clause":
        return parent if _is_field(parent, "parameter", top) else None
    if kind == "for_in_statement":
        return _loop_scope(parent) if _is_field(parent, "left", top) else None
    if kind in NAMED_STATEMENTS:
        return enclosing(parent, BLOCKS) if _is_field(parent, "name", top) else None
    if kind in NAMED_EXPRESSIONS:
        return parent if _is_field(parent, "name", top) else None
    return _import_scope(parent, top)


def _is_field(parent: Node, field: str, node: Node) -> bool:
    return parent.child_by_field_name(field) == node


def _import_scope(parent: Node, top: Node) -> Node | None:
    if parent.type == "import_specifier":
        declares = _is_field(parent, "alias", top) or parent.child_by_field_name("alias") is None
        return enclosing(parent, VARIABLE_SCOPES) if declares else None
    return enclosing(parent, VARIABLE_SCOPES) if parent.type in IMPORTS else None


def _variable_scope(declarator: Node) -> Node:
    statement = declarator.parent
    hoisted = statement is not None and statement.type == "variable_declaration"
    return enclosing(declarator, VARIABLE_SCOPES if hoisted else BLOCKS)


def _loop_scope(loop: Node) -> Node | None:
    kind = loop.child_by_field_name("kind")
    if kind is None:
        return None
    return enclosing(loop, VARIABLE_SCOPES) if text(kind) == "var" else loop


def enclosing(node: Node, kinds: set[str]) -> Node:
    """The nearest ancestor of one of `kinds`; the root when there is none (a tree with errors)."""
    at = node
    while (parent := at.parent) is not None:
        at = parent
        if at.type in kinds:
            break
    return at


class Name:
    """One name in one source: its declarations, and its uses that remain."""

    def __init__(self, root: Node, source: bytes, name: str, bindings: dict[int, Binding]) -> None:
        self.uses: list[Node] = []
        self._declarations: list[Declaration] = []
        for node in occurrences(root, source, name):
            scope = declared_scope(node)
            if scope is None:
                self.uses.append(node)
            else:
                self._declare(scope, bindings.get(node.start_byte))
        self._assign(root, bindings)

    def _declare(self, scope: Node, binding: Binding | None) -> None:
        self._declarations.append(Declaration(scope.start_byte, scope.end_byte, binding))

    def _assign(self, root: Node, bindings: dict[int, Binding]) -> None:
        """`fs = require("fs")` binds the name in the scope that declares it, or globally."""
        everywhere = Declaration(root.start_byte, root.end_byte, None)
        for node in self.uses:
            if (binding := bindings.get(node.start_byte)) is not None:
                held = self.declaration(node) or everywhere
                self._declarations.append(held._replace(binding=binding))

    def declaration(self, node: Node) -> Declaration | None:
        """The innermost declaration that a use sees; a binding wins over a plain one of the same scope."""
        at = node.start_byte
        seen = [held for held in self._declarations if held.start <= at < held.end]
        return min(seen, key=lambda held: (held.end - held.start, held.binding is None), default=None)
