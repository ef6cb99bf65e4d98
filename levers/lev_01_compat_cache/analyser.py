"""Facts about one JavaScript or TypeScript source: which builtin modules, members and globals it uses.

Parsed by tree-sitter. The loads (`import`, `export … from`, `require`, `import()`) come from a query; members
are looked for only where a name is bound to a builtin. Facts depend on the bytes and the grammar alone.
README.md lists what is followed and what is not.
"""

from typing import NamedTuple

from grammars import engine
from project import Facts
from scopes import NAMES, Binding, Name, occurrences
from syntax import (
    awaited,
    clause,
    is_called,
    is_choice,
    is_created_require,
    is_interop,
    is_object,
    is_type_only,
    literal,
    parts,
    target,
    text,
)
from tree_sitter import Node, Query, QueryCursor
from vocabulary import CALLED, GLOBALS, ROOTS, builtin

WRAPPERS = {"parenthesized_expression", "non_null_expression", "as_expression", "satisfies_expression"}
TYPE_ONLY = {"type_query", "nested_type_identifier"}


def analyse(source: bytes, dialect: str) -> Facts:
    """`[flags, uses]` of one source. A source with errors is flagged and analysed as far as it goes."""
    parser, query = engine(dialect)
    root = parser.parse(source).root_node
    analysis = Analysis(root, source)
    if b"require" in source or b"import" in source or b"export" in source:
        analysis.loads(query)
    analysis.names()
    return analysis.facts()


class Reach(NamedTuple):
    """The outermost expression reached from a node over member accesses, and the members passed."""

    node: Node
    path: tuple[str, ...]
    interop: bool


class Analysis:
    """The facts of one syntax tree while they are being collected."""

    def __init__(self, root: Node, source: bytes) -> None:
        self._root = root
        self._source = source
        self._flags = {"syntax-error"} if root.has_error else set[str]()
        self._uses: set[tuple[int, str, str]] = set()
        self._bindings: dict[int, Binding] = {}
        self._bound: set[str] = set()

    def facts(self) -> Facts:
        """What was found, in the shape that survives JSON unchanged."""
        if not _is_utf8(self._source):
            self._flags.add("not-utf8")
        return [sorted(self._flags), [list(use) for use in sorted(self._uses)]]

    def loads(self, query: Query) -> None:
        """Record all loads of builtin modules, and which names they bind."""
        required = Name(self._root, self._source, "require", self._created_requires())
        for _, captured in QueryCursor(query).matches(self._root):
            if "call" in captured:
                callee = captured["callee"][0]
                if callee.type == "import" or _is_require(required, callee):
                    self._call(captured["call"][0], captured["arguments"][0], callee.type == "import")
            elif (module := builtin(literal(captured["source"][0]))) is not None:
                self._declared_load(module, captured)

    def _created_requires(self) -> dict[int, Binding]:
        """Where `require` is declared as what `createRequire` made."""
        if b"createRequire" not in self._source:
            return {}
        made = Binding("module", ("createRequire",), False)
        nodes = occurrences(self._root, self._source, "require")
        return {node.start_byte: made for node in nodes if is_created_require(node)}

    def _declared_load(self, module: str, captured: dict[str, list[Node]]) -> None:
        statement = next(iter(captured.values()))[0]
        if "require" in captured:
            statement = captured["require"][0].parent or statement
        if is_type_only(statement):
            return
        self._use(statement, module, ())
        if "require" in captured:
            self._bind(captured["name"][0], Binding(module, (), False))
        else:
            self._statement(statement, module)

    def _statement(self, statement: Node, module: str) -> None:
        for node in clause(statement):
            if node.type in ("import_specifier", "export_specifier"):
                self._specifier(node, module)
            elif statement.type == "import_statement":
                self._bind(node, Binding(module, (), True))

    def _specifier(self, node: Node, module: str) -> None:
        if is_type_only(node):
            return
        alias = node.child_by_field_name("alias")
        name = node.child_by_field_name("name")
        member = "default" if name is None else text(name) if name.type != "string" else literal(name)
        path = () if member in (None, "default") else (member,)
        if path:
            self._use(node, module, path)
        local = alias or name
        if node.type == "import_specifier" and local is not None:
            self._bind(local, Binding(module, path, True))

    def _call(self, call: Node, arguments: Node, dynamic: bool) -> None:
        first = next((node for node in arguments.named_children if node.type != "comment"), None)
        if call.parent is not None and call.parent.type in TYPE_ONLY:
            return
        specifier = None if first is None else literal(first)
        if specifier is None:
            self._flags.add("dynamic-load")
        elif (module := builtin(specifier)) is not None:
            self._use(call, module, ())
            if (value := awaited(call) if dynamic else call) is not None:
                self._follow(value, Binding(module, (), dynamic), loaded=True)

    def names(self) -> None:
        """Follow every bound name, and every global that is not shadowed, to the members that are used."""
        waiting = self._bound.union(word for word in GLOBALS if word.encode() in self._source)
        while waiting:
            self._bound = set()
            for word in sorted(waiting):
                self._name(word)
            waiting = self._bound

    def _name(self, word: str) -> None:
        name = Name(self._root, self._source, word, self._bindings)
        for node in name.uses:
            held = name.declaration(node)
            if held is None:
                self._global(node, word)
            elif held.binding is not None:
                self._follow(node, held.binding)

    def _global(self, node: Node, word: str) -> None:
        if word == "process":
            self._follow(node, Binding("process", (), False))
        elif word in ROOTS:
            self._follow(node, Binding("globals", (), False))
        elif word in GLOBALS and (word not in CALLED or is_called(node)):
            self._follow(node, Binding("globals", (word,), False), bare=True)

    def _follow(self, node: Node, binding: Binding, loaded: bool = False, bare: bool = False) -> None:
        """Record what is used of `binding` where `node` stands, and bind what takes its value."""
        reach = self._reach(node, loaded)
        if reach is None:
            return
        interop = binding.interop or reach.interop
        path = _without_default(binding.path + reach.path, interop)
        if len(path) > len(binding.path) or bare:
            self._use(node, binding.module, path)
        if (taker := target(reach.node)) is not None:
            self._bind(taker, Binding(binding.module, path, interop))

    def _reach(self, node: Node, loaded: bool) -> Reach | None:
        path: list[str] = []
        interop = False
        while (parent := node.parent) is not None:
            kind = parent.type
            if kind in ("member_expression", "subscript_expression") and is_object(parent, node):
                if (member := self._member(parent)) is None:
                    break
                path.append(member)
            elif loaded and kind == "arguments" and is_interop(parent):
                interop, parent = True, parent.parent
            elif kind not in WRAPPERS and not (loaded and is_choice(parent, node)):
                break
            node = parent or node
        return None if parent is not None and parent.type in TYPE_ONLY else Reach(node, tuple(path), interop)

    def _member(self, access: Node) -> str | None:
        if access.type == "member_expression":
            name = access.child_by_field_name("property")
            return None if name is None else text(name)
        index = access.child_by_field_name("index")
        member = None if index is None else literal(index)
        if member is None:
            self._flags.add("computed-member")
        return member

    def _bind(self, taker: Node, binding: Binding) -> None:
        """Bind the names of a declared or assigned target, and record the members that it takes apart.

        The first binding of a place stands, so following `x = x.y` ends.
        """
        if taker.type == "object_pattern":
            for node in taker.named_children:
                self._bind_part(node, binding)
        elif taker.type in NAMES and taker.start_byte not in self._bindings:
            self._bindings[taker.start_byte] = binding
            self._bound.add(text(taker))

    def _bind_part(self, node: Node, binding: Binding) -> None:
        if node.type == "rest_pattern":
            self._bind(node.named_children[0], binding)
            return
        key, taker = parts(node)
        if key is None:
            if node.type == "pair_pattern":
                self._flags.add("computed-member")
            return
        part = binding._replace(path=_without_default((*binding.path, key), binding.interop))
        if part.path:
            self._use(node, binding.module, part.path)
        if taker is not None:
            self._bind(taker, part)

    def _use(self, node: Node, module: str, path: tuple[str, ...]) -> None:
        if module == "globals" and path[:1] == ("process",):
            module, path = "process", path[1:]
        self._uses.add((node.start_point[0] + 1, module, ".".join(path)))


def _is_utf8(source: bytes) -> bool:
    try:
        source.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _without_default(path: tuple[str, ...], interop: bool) -> tuple[str, ...]:
    return path[1:] if interop and path[:1] == ("default",) else path


def _is_require(name: Name, callee: Node) -> bool:
    """A `require` that nothing here declares, or one made by `createRequire`; not a bundler's parameter."""
    held = name.declaration(callee)
    return held is None or held.binding is not None
