"""The text of lever.yaml -> values and the line of each; the only place that reads YAML."""

import math
import stat
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from prfpipe.errors import LeverError

FILE_NAME = "lever.yaml"
MAX_BYTES = 256 * 1024
HINT = "docs/lever-folder.md describes each key; `prfpipe new NAME` writes a folder to start from."
_ALLOWED_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("map", "seq", "str", "int", "float", "bool", "null")}

Where = tuple[str | int, ...]
"""The keys and indices that lead to a value; `()` is the whole."""

Lines = dict[Where, int]


def read_yaml(path: Path) -> tuple[Any, Lines]:
    """The values of a file and their lines.

    Raises:
        LeverError: with `file:line: what is wrong`.
    """
    raw = _read_bytes(path)
    try:
        root = yaml.compose(raw.decode("utf-8"), Loader=_NoAliasLoader)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise LeverError(f"{path}:{line}: not UTF-8: {error.reason}", hint=HINT) from error
    except RecursionError as error:
        raise LeverError(f"{path}:1: nested too deeply", hint=HINT) from error
    except (ValueError, OverflowError) as error:  # an escape that is no character
        raise LeverError(f"{path}:1: not YAML: {error}", hint=HINT) from error
    except yaml.YAMLError as error:
        raise LeverError(f"{path}:{_error_line(error, raw)}: {_first_line(error)}", hint=HINT) from error
    if root is None:
        raise LeverError(f"{path}:1: the file is empty", hint=HINT)
    lines: Lines = {}
    return _construct(root, (), lines, path), lines


def _read_bytes(path: Path) -> bytes:
    try:
        # Looked at before it is opened: opening a pipe would wait for a writer for ever.
        if not stat.S_ISREG(path.lstat().st_mode):
            raise LeverError(f"{path}:1: not a regular file", hint=HINT)
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise LeverError(f"{path}: {error.strerror}", hint=HINT) from error
    if len(raw) > MAX_BYTES:
        raise LeverError(f"{path}:1: more than {MAX_BYTES} bytes", hint=HINT)
    return raw


class _NoAliasLoader(yaml.SafeLoader):
    """Safe YAML without anchors and aliases: they make bombs and hide what a reader sees."""

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise yaml.MarkedYAMLError(problem="anchors and aliases are not allowed", problem_mark=event.start_mark)
        return super().compose_node(parent, index)


def _construct(node: Node, where: Where, lines: Lines, path: Path) -> Any:
    lines[where] = node.start_mark.line + 1
    if node.tag not in _ALLOWED_TAGS:
        raise LeverError(f"{path}:{lines[where]}: the tag {node.tag} is not allowed", hint=HINT)
    if isinstance(node, MappingNode):
        return _construct_mapping(node, where, lines, path)
    if isinstance(node, SequenceNode):
        return [_construct(item, (*where, i), lines, path) for i, item in enumerate(node.value)]
    try:
        value = yaml.SafeLoader("").construct_object(node)
    except (ValueError, yaml.YAMLError) as error:
        raise LeverError(f"{path}:{lines[where]}: {node.value[:80]!r} is not a value", hint=HINT) from error
    if not _fits(value):
        raise LeverError(
            f"{path}:{lines[where]}: {node.value[:80]!r}: numbers must be finite and fit in 64 bits", hint=HINT
        )
    return value


def _fits(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or -(2**63) <= value < 2**63


def _construct_mapping(node: MappingNode, where: Where, lines: Lines, path: Path) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, ScalarNode) or key_node.tag != "tag:yaml.org,2002:str":
            raise LeverError(f"{path}:{line}: keys must be text", hint=HINT)
        key = key_node.value
        if key in result:
            raise LeverError(f"{path}:{line}: the key {key!r} stands twice", hint=HINT)
        result[key] = _construct(value_node, (*where, key), lines, path)
        lines[(*where, key)] = line
    return result


def _error_line(error: yaml.YAMLError, raw: bytes) -> int:
    if mark := getattr(error, "problem_mark", None):
        return int(mark.line) + 1
    return raw.decode().count("\n", 0, getattr(error, "position", 0)) + 1


def _first_line(error: yaml.YAMLError) -> str:
    return str(getattr(error, "problem", None) or error).splitlines()[0]


def line_of(where: Where, lines: Lines) -> int:
    """The line of a key, or of the nearest one around it."""
    while where and where not in lines:
        where = where[:-1]
    return lines.get(where, 1)
