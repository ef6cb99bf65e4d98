"""Small questions about a syntax tree: literals, patterns, what an expression becomes."""

import re
from collections.abc import Iterator

from tree_sitter import Node

ESCAPE = re.compile(
    r"\\(?:u\{([0-9a-fA-F]+)\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([0-7]{1,3})|(\r\n|[\n\r\u2028\u2029])|(.))",
    re.DOTALL,
)
SINGLE = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v"}
INTEROP = {"__importDefault", "__importStar", "_interopRequireDefault", "_interopRequireWildcard"}
"""What compilers wrap a required CommonJS module in, so that `default` is the module."""


def text(node: Node) -> str:
    """The source of a node as text."""
    return (node.text or b"").decode("utf-8", "replace")


def _decoded(match: re.Match[str]) -> str:
    braced, four, two, octal, continued, single = match.groups()
    if continued is not None:
        return ""
    if single is not None:
        return SINGLE.get(single, single)
    number = int(octal, 8) if octal is not None else int(braced or four or two, 16)
    return chr(number) if number <= 0x10FFFF else "\ufffd"


def literal(node: Node) -> str | None:
    """The value of a string or of a template without substitutions; None for any other expression."""
    if node.type not in ("string", "template_string"):
        return None
    if any(child.type == "template_substitution" for child in node.named_children):
        return None
    return ESCAPE.sub(_decoded, text(node)[1:-1])


def clause(statement: Node) -> Iterator[Node]:
    """Names and specifiers that an import or export statement brings in."""
    for child in statement.named_children:
        if child.type in ("import_clause", "named_imports", "namespace_import", "export_clause"):
            yield from clause(child)
        elif child.type in ("identifier", "import_specifier", "export_specifier"):
            yield child


def is_object(access: Node, node: Node) -> bool:
    return access.child_by_field_name("object") == node


def is_called(node: Node) -> bool:
    parent = node.parent
    if parent is None:
        return False
    return node in (parent.child_by_field_name("function"), parent.child_by_field_name("constructor"))


def is_interop(arguments: Node) -> bool:
    call = arguments.parent
    callee = None if call is None else call.child_by_field_name("function")
    return callee is not None and text(callee).rpartition(".")[2] in INTEROP


def is_choice(parent: Node, node: Node) -> bool:
    """`a ? node : b`, `node || b`: the value may be the node's."""
    if parent.type == "ternary_expression":
        return parent.child_by_field_name("condition") != node
    operator = parent.child_by_field_name("operator") if parent.type == "binary_expression" else None
    return operator is not None and operator.type in ("||", "??", "&&")


def awaited(call: Node) -> Node | None:
    parent = call.parent
    while parent is not None and parent.type == "parenthesized_expression":
        parent = parent.parent
    return parent if parent is not None and parent.type == "await_expression" else None


def target(node: Node) -> Node | None:
    """What the value of an expression is declared as or assigned to."""
    parent = node.parent
    if parent is None:
        return None
    if parent.type == "variable_declarator" and parent.child_by_field_name("value") == node:
        return parent.child_by_field_name("name")
    if parent.type == "assignment_expression" and parent.child_by_field_name("right") == node:
        return parent.child_by_field_name("left")
    return None


def parts(node: Node) -> tuple[str | None, Node | None]:
    """The member that one part of an object pattern takes, and what it is bound to."""
    if node.type == "object_assignment_pattern":
        left = node.child_by_field_name("left")
        return (None, None) if left is None else (text(left), left)
    if node.type == "shorthand_property_identifier_pattern":
        return text(node), node
    key, value = node.child_by_field_name("key"), node.child_by_field_name("value")
    if key is None or value is None:
        return None, None
    target = value.child_by_field_name("left") if value.type == "assignment_pattern" else value
    if key.type == "computed_property_name":
        return literal(key.named_children[0]), target
    return literal(key) if key.type == "string" else text(key), target


def is_type_only(node: Node) -> bool:
    """`import type …`, `export type …`, `{type X}`: erased before anything runs."""
    return any(child.type in ("type", "typeof") for child in node.children)


def is_created_require(node: Node) -> bool:
    """`const require = createRequire(…)`: the node is the name that is declared."""
    declarator = node.parent
    value = None if declarator is None else declarator.child_by_field_name("value")
    callee = None if value is None else value.child_by_field_name("function")
    return callee is not None and text(callee).rpartition(".")[2] == "createRequire"
