"""lever.yaml's values -> LeverSpec, and the schema of what is written: mappings by name become records."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from prfpipe.errors import LeverError
from prfpipe.lever.text import FILE_NAME, HINT, Lines, Where, line_of
from prfpipe.models import LeverSpec

NAME = r"[a-z0-9][a-z0-9._-]{0,60}"
# What `pip install` takes as a name, never as an option, and what can be checked without a resolver.
REQUIREMENT = r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._,-]+\])?(==[A-Za-z0-9.!+_-]+)?"
# Mappings by name in the file, sequences of records in the spec.
_BY_NAME = {"scenarios": "name", "guards": "metric", "mutants": "name"}
# Where one of several kinds may stand, an error's location names the kind that was tried.
_ALTERNATIVES = ("PythonVariant", "CommandVariant", "literal['all']", "tuple[str, ...]")
_MUST_HOLD = "expected `all` or a list of scenario names"


def to_spec(data: Any, lines: Lines, path: Path) -> LeverSpec:
    """The record of what a file says, each part by itself; `check` looks at how they fit together.

    Raises:
        LeverError: with `file:line: key: what is wrong`, for the first thing that is.
    """
    if not isinstance(data, dict):
        raise LeverError(f"{path}:1: expected a mapping of keys, found {type(data).__name__}", hint=HINT)
    shaped, moved = _as_records(data, lines, path)
    try:
        # JSON mode: lists become tuples and words become enums, everything else stays strict.
        return LeverSpec.model_validate_json(json.dumps(shaped, allow_nan=False))
    except ValidationError as error:
        first = next(item for item in error.errors() if not _is_of_other_kind(item["loc"], data))
        where = _original_location(first["loc"], moved)
        name = ".".join(str(part) for part in where) or FILE_NAME
        message = _MUST_HOLD if where[:1] == ("must_hold",) else first["msg"]
        raise LeverError(f"{path}:{line_of(where, lines)}: {name}: {message}", hint=HINT) from error


def _as_records(data: dict[str, Any], lines: Lines, path: Path) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Scenarios, guards and mutants are mappings by name in the file and sequences of records in the spec."""
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
                    f"{path}:{line_of((key, name, field), lines)}: {key}.{name}.{field}: the {field} is the key itself",
                    hint=HINT,
                )
    return shaped, moved


def _mapping(value: Any, where: Where, lines: Lines, path: Path) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    name = ".".join(map(str, where))
    found = "nothing" if value is None else type(value).__name__
    raise LeverError(f"{path}:{line_of(where, lines)}: {name}: expected a mapping of keys, found {found}", hint=HINT)


def _is_of_other_kind(loc: Sequence[str | int], data: dict[str, Any]) -> bool:
    """Whether an error comes from trying a variant as the kind that it is not written as."""
    if loc[:1] != ("variants",) or len(loc) < 3:
        return False
    written = data["variants"][loc[1]]
    command = isinstance(written, dict) and "command" in written and "python" not in written
    return loc[2] == ("PythonVariant" if command else "CommandVariant")


def _original_location(loc: Sequence[str | int], moved: dict[str, list[str]]) -> Where:
    parts = [part for part in loc if part not in _ALTERNATIVES]
    if len(parts) > 1 and parts[0] in moved and isinstance(parts[1], int):
        parts[1] = moved[str(parts[0])][parts[1]]
    return tuple(parts)


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
            "propertyNames": {"enum": name["enum"]} if "enum" in name else {"pattern": f"^{NAME}$"},
            "additionalProperties": {"$ref": f"#/$defs/{records[key]['title']}"},
        }
    schema["properties"]["scenarios"]["minProperties"] = 1
    schema["properties"]["requires"]["items"]["pattern"] = f"^{REQUIREMENT}$"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
