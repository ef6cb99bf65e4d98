"""lever.yaml -> Lever, strictly: every error names the file, the line and what was expected."""

import json
import math
import os
import re
import shlex
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from pydantic import ValidationError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from prfpipe.errors import LeverError
from prfpipe.models import CommandVariant, LeverSpec, PythonVariant

FILE_NAME = "lever.yaml"
MAX_BYTES = 256 * 1024
_ALLOWED_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("map", "seq", "str", "int", "float", "bool", "null")}
_HINT = "docs/lever-folder.md describes each key; `prfpipe new NAME` writes a folder to start from."
_SCENARIO_NAME = r"[a-z0-9][a-z0-9._-]{0,60}"
# What `pip install` takes as a name, never as an option, and what can be checked without a resolver.
_REQUIREMENT = r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._,-]+\])?(==[A-Za-z0-9.!+_-]+)?"
# Mappings by name in the file, sequences of records in the spec.
_BY_NAME = {"scenarios": "name", "guards": "metric", "mutants": "name"}

Lines = dict[tuple[str | int, ...], int]


@dataclass(frozen=True)
class Lever:
    """A lever folder that can be evaluated."""

    spec: LeverSpec
    root: Path


def load_lever(folder: Path) -> Lever:
    """Read and check a lever folder; the folder may lie anywhere.

    Raises:
        LeverError: with `file:line: what is wrong`, for the first thing that is.
    """
    path = folder / FILE_NAME
    data, lines = _read_yaml(path)
    spec = _validate(data, lines, path)
    _check_scenarios(spec, lines, path)
    _check_files(spec, lines, path)
    _check_words(spec, lines, path)
    return Lever(spec, folder.resolve())


def find_lever(name: str, levers: Path) -> Lever:
    """A lever by its id under `levers`, or by the path of its folder.

    Raises:
        LeverError: there is none; the message lists those that there are.
    """
    if os.path.isdir(name):  # noqa: PTH112 - Path.is_dir raises for a name that is too long
        return load_lever(Path(name))
    known = {lever.spec.id: lever for lever in list_levers(levers)}
    if name in known:
        return known[name]
    raise LeverError(
        f"no lever {name!r}: {levers} has {', '.join(known) or 'none'}, and no such folder exists",
        hint="Give an id from `prfpipe levers` or the path of a folder with a lever.yaml.",
    )


def list_levers(levers: Path) -> list[Lever]:
    """Every lever folder directly under `levers`, by id.

    Raises:
        LeverError: one of them is not valid, or two have the same id.
    """
    found = sorted((load_lever(path.parent) for path in levers.glob(f"*/{FILE_NAME}")), key=lambda item: item.spec.id)
    for one, other in pairwise(found):
        if one.spec.id == other.spec.id:
            raise LeverError(f"{one.root} and {other.root} are both {one.spec.id}", hint="Give one another id.")
    return found


def check_requirements(lever: Lever) -> None:
    """Refuse before anything is started when a distribution of `requires` is not installed.

    Raises:
        LeverError: it names all that are missing and how to install them.
    """
    missing = [requirement for requirement in lever.spec.requires if not _installed(requirement)]
    if missing:
        raise LeverError(
            f"{lever.spec.id} needs {', '.join(missing)}, which is not installed here",
            hint=f"python -m pip install {shlex.join(missing)}",
        )


def json_schema() -> dict[str, Any]:
    """The JSON schema of lever.yaml as it is written, for editors."""
    schema = LeverSpec.model_json_schema()
    records = {
        "scenarios": schema["$defs"]["Scenario"],
        "guards": schema["$defs"]["Guard"],
        "mutants": schema["$defs"]["LeverMutant"],
    }
    for key, field in _BY_NAME.items():
        name = records[key]["properties"].pop(field)
        records[key]["required"] = [item for item in records[key].get("required", ()) if item != field]
        schema["properties"][key] = {
            "type": "object",
            "description": f"By {field}.",
            "propertyNames": {"enum": name["enum"]} if "enum" in name else {"pattern": f"^{_SCENARIO_NAME}$"},
            "additionalProperties": {"$ref": f"#/$defs/{records[key]['title']}"},
        }
    schema["properties"]["scenarios"]["minProperties"] = 1
    schema["properties"]["requires"]["items"]["pattern"] = f"^{_REQUIREMENT}$"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


# ---- YAML -----------------------------------------------------------------------------------------------


def _read_yaml(path: Path) -> tuple[Any, Lines]:
    raw = _read_bytes(path)
    try:
        root = yaml.compose(raw.decode("utf-8"), Loader=_NoAliasLoader)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise LeverError(f"{path}:{line}: not UTF-8: {error.reason}", hint=_HINT) from error
    except RecursionError as error:
        raise LeverError(f"{path}:1: nested too deeply", hint=_HINT) from error
    except yaml.YAMLError as error:
        raise LeverError(f"{path}:{_error_line(error, raw)}: {_first_line(error)}", hint=_HINT) from error
    if root is None:
        raise LeverError(f"{path}:1: the file is empty", hint=_HINT)
    lines: Lines = {}
    return _construct(root, (), lines, path), lines


def _read_bytes(path: Path) -> bytes:
    try:
        # Looked at before it is opened: opening a pipe would wait for a writer for ever.
        if not stat.S_ISREG(path.lstat().st_mode):
            raise LeverError(f"{path}:1: not a regular file", hint=_HINT)
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise LeverError(f"{path}: {error.strerror}", hint=_HINT) from error
    if len(raw) > MAX_BYTES:
        raise LeverError(f"{path}:1: more than {MAX_BYTES} bytes", hint=_HINT)
    return raw


class _NoAliasLoader(yaml.SafeLoader):
    """Safe YAML without anchors and aliases: they make bombs and hide what a reader sees."""

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise yaml.MarkedYAMLError(problem="anchors and aliases are not allowed", problem_mark=event.start_mark)
        return super().compose_node(parent, index)


def _construct(node: Node, where: tuple[str | int, ...], lines: Lines, path: Path) -> Any:
    lines[where] = node.start_mark.line + 1
    if node.tag not in _ALLOWED_TAGS:
        raise LeverError(f"{path}:{lines[where]}: the tag {node.tag} is not allowed", hint=_HINT)
    if isinstance(node, MappingNode):
        return _construct_mapping(node, where, lines, path)
    if isinstance(node, SequenceNode):
        return [_construct(item, (*where, i), lines, path) for i, item in enumerate(node.value)]
    try:
        value = yaml.SafeLoader("").construct_object(node)
    except (ValueError, yaml.YAMLError) as error:
        raise LeverError(f"{path}:{lines[where]}: {node.value[:80]!r} is not a value", hint=_HINT) from error
    if not _fits(value):
        raise LeverError(
            f"{path}:{lines[where]}: {node.value[:80]!r}: numbers must be finite and fit in 64 bits", hint=_HINT
        )
    return value


def _fits(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or -(2**63) <= value < 2**63


def _construct_mapping(node: MappingNode, where: tuple[str | int, ...], lines: Lines, path: Path) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, ScalarNode) or key_node.tag != "tag:yaml.org,2002:str":
            raise LeverError(f"{path}:{line}: keys must be text", hint=_HINT)
        key = key_node.value
        if key in result:
            raise LeverError(f"{path}:{line}: the key {key!r} stands twice", hint=_HINT)
        result[key] = _construct(value_node, (*where, key), lines, path)
        lines[(*where, key)] = line
    return result


def _error_line(error: yaml.YAMLError, raw: bytes) -> int:
    if mark := getattr(error, "problem_mark", None):
        return int(mark.line) + 1
    return raw.decode().count("\n", 0, getattr(error, "position", 0)) + 1


def _first_line(error: yaml.YAMLError) -> str:
    return str(getattr(error, "problem", None) or error).splitlines()[0]


# ---- validation -----------------------------------------------------------------------------------------


def _validate(data: Any, lines: Lines, path: Path) -> LeverSpec:
    if not isinstance(data, dict):
        raise LeverError(f"{path}:1: expected a mapping of keys, found {type(data).__name__}", hint=_HINT)
    shaped, moved = _as_records(data, lines, path)
    try:
        # JSON mode: lists become tuples and words become enums, everything else stays strict.
        return LeverSpec.model_validate_json(json.dumps(shaped, allow_nan=False))
    except ValidationError as error:
        first = next(item for item in error.errors() if not _is_of_other_kind(item["loc"], data))
        where = _original_location(first["loc"], moved)
        name = ".".join(str(part) for part in where) or FILE_NAME
        raise LeverError(f"{path}:{_line(where, lines)}: {name}: {first['msg']}", hint=_HINT) from error


def _as_records(data: dict[str, Any], lines: Lines, path: Path) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Scenarios and guards are mappings by name in the file and sequences of records in the spec."""
    shaped, moved = dict(data), {}
    for key, field in _BY_NAME.items():
        if key not in data:
            continue
        found = _mapping(data[key], (key,), lines, path)
        moved[key] = list(found)
        shaped[key] = [{**_mapping(value, (key, name), lines, path), field: name} for name, value in found.items()]
        for name, value in found.items():
            if field in value:
                raise LeverError(
                    f"{path}:{_line((key, name, field), lines)}: {key}.{name}.{field}: the {field} is the key itself",
                    hint=_HINT,
                )
    return shaped, moved


def _mapping(value: Any, where: tuple[str | int, ...], lines: Lines, path: Path) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    name = ".".join(map(str, where))
    found = "nothing" if value is None else type(value).__name__
    raise LeverError(f"{path}:{_line(where, lines)}: {name}: expected a mapping of keys, found {found}", hint=_HINT)


def _is_of_other_kind(loc: Sequence[str | int], data: dict[str, Any]) -> bool:
    """Whether an error comes from trying a variant as the kind that it is not written as."""
    if loc[0] != "variants" or len(loc) < 3:
        return False
    written = data["variants"][loc[1]]
    command = isinstance(written, dict) and "command" in written and "python" not in written
    return loc[2] == ("PythonVariant" if command else "CommandVariant")


def _original_location(loc: Sequence[str | int], moved: dict[str, list[str]]) -> tuple[str | int, ...]:
    parts = list(loc)
    if len(parts) > 1 and parts[0] in moved and isinstance(parts[1], int):
        parts[1] = moved[str(parts[0])][parts[1]]
    return tuple(part for part in parts if part not in ("PythonVariant", "CommandVariant"))


def _line(where: tuple[str | int, ...], lines: Lines) -> int:
    while where and where not in lines:
        where = where[:-1]
    return lines.get(where, 1)


def _check_scenarios(spec: LeverSpec, lines: Lines, path: Path) -> None:
    line = _line(("scenarios",), lines)
    primaries = [scenario.name for scenario in spec.scenarios if scenario.primary]
    if len(primaries) != 1:
        raise LeverError(
            f"{path}:{line}: scenarios: exactly one must be `primary: true`, found {primaries}", hint=_HINT
        )
    for scenario in spec.scenarios:
        if not re.fullmatch(_SCENARIO_NAME, scenario.name):
            where = _line(("scenarios", scenario.name), lines)
            raise LeverError(
                f"{path}:{where}: scenario name {scenario.name!r}: use a-z, 0-9, '-', '.', '_'", hint=_HINT
            )
    low, high = spec.expected_speedup
    if not 1 <= low <= high:
        where = _line(("expected_speedup",), lines)
        raise LeverError(f"{path}:{where}: expected_speedup: expected [low, high] with 1 <= low <= high", hint=_HINT)


def _check_files(spec: LeverSpec, lines: Lines, path: Path) -> None:
    for where, name in _named_files(spec):
        line = _line(where, lines)
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts or "\\" in name or not name.isprintable():
            raise LeverError(f"{path}:{line}: {name!r} must be a path inside the lever folder", hint=_HINT)
        if not _is_plain_file(path.parent, pure):
            raise LeverError(f"{path}:{line}: {name} is not a file in {path.parent} (links do not count)", hint=_HINT)


def _is_plain_file(root: Path, name: PurePosixPath) -> bool:
    try:
        # Equal only if no part of the name is a link.
        return (root / name).is_file() and (root / name).resolve() == root.resolve() / name
    except OSError:
        return False


def _named_files(spec: LeverSpec) -> Iterator[tuple[tuple[str | int, ...], str]]:
    yield ("workload",), spec.workload
    for i, name in enumerate(spec.optimized_path):
        yield ("optimized_path", i), name
    for i, target in enumerate(spec.targets):
        yield ("targets", i), target.split(":", 1)[0]
    for i, exclusion in enumerate(spec.coverage_exclusions):
        yield ("coverage_exclusions", i, "file"), exclusion.file
    for side in ("baseline", "candidate"):
        variant = getattr(spec.variants, side)
        if isinstance(variant, PythonVariant):
            yield ("variants", side, "python"), variant.python


def _check_words(spec: LeverSpec, lines: Lines, path: Path) -> None:
    for i, requirement in enumerate(spec.requires):
        if not re.fullmatch(_REQUIREMENT, requirement):
            line = _line(("requires", i), lines)
            raise LeverError(f"{path}:{line}: requires: {requirement!r}: use NAME or NAME==VERSION", hint=_HINT)
    for side in ("baseline", "candidate"):
        variant = getattr(spec.variants, side)
        if isinstance(variant, CommandVariant) and (not variant.command[0] or "\0" in "".join(variant.command)):
            line = _line(("variants", side, "command"), lines)
            raise LeverError(f"{path}:{line}: variants.{side}.command: a word is empty or holds NUL", hint=_HINT)


def _installed(requirement: str) -> bool:
    name, _, version = requirement.partition("==")
    try:
        found = distribution(name.partition("[")[0]).version
    except PackageNotFoundError:
        return False
    return not version or found == version
