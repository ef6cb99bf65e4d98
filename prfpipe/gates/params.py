"""`params` of a gate.yaml as the record that a measuring wants, with the file and the key in every error."""

import json
from typing import TypeVar

from pydantic import ValidationError

from prfpipe.errors import GateError
from prfpipe.gates.spec import FILE_NAME, Gate
from prfpipe.models.base import Record

Params = TypeVar("Params", bound=Record)


def read_params(gate: Gate, kind: type[Params]) -> Params:
    """The gate's `params`.

    Raises:
        GateError: one is missing, unknown or out of its range.
    """
    try:
        # JSON mode: lists become tuples and words become enums, everything else stays strict.
        return kind.model_validate_json(json.dumps(gate.spec.params))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in ("params", *first["loc"]))
        raise bad_param(gate, name, first["msg"]) from error


def bad_param(gate: Gate, name: str, message: str) -> GateError:
    """The error for a key of the gate's gate.yaml."""
    hint = f"docs/gates.md, `{gate.spec.id}`, has the parameters of this gate."
    return GateError(f"{gate.root / FILE_NAME}: {name}: {message}", hint=hint)
