"""Where Python source waits on purpose: calls of a sleep, loops that look at a clock until it is late enough."""

import ast
from collections.abc import Iterator

_CLOCKS = {"time", "perf_counter", "monotonic", "process_time", "thread_time", "clock_gettime"}
_CLOCK_CALLS = _CLOCKS | {f"{name}_ns" for name in _CLOCKS}


def waits(source: bytes) -> Iterator[tuple[int, str, str]]:
    """Line, name of the innermost function or method (`-` outside of all), and what waits there; of Python only."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    yield from _waits(tree, "-", _sleeps(tree))


def _sleeps(tree: ast.Module) -> set[str]:
    """The names by which this module calls `sleep`."""
    imports = (alias for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names)
    return {"sleep", *(alias.asname for alias in imports if alias.name == "sleep" and alias.asname)}


def _waits(node: ast.AST, function: str, sleeps: set[str]) -> Iterator[tuple[int, str, str]]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        function = node.name
    if isinstance(node, ast.Call) and _called(node) in sleeps:
        yield node.lineno, function, f"{ast.unparse(node.func)}()"
    if isinstance(node, ast.While) and _looks_at_a_clock(node):
        yield node.lineno, function, "a loop on a clock"
    for child in ast.iter_child_nodes(node):
        yield from _waits(child, function, sleeps)


def _looks_at_a_clock(loop: ast.While) -> bool:
    return any(isinstance(node, ast.Call) and _called(node) in _CLOCK_CALLS for node in ast.walk(loop.test))


def _called(call: ast.Call) -> str:
    """The last name of what is called: `sleep` of `time.sleep`."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
