"""Several gates one after the other: what one gate's failure costs is its own answer, the others still get theirs."""

from collections.abc import Iterator, Sequence

from prfpipe.errors import InputError, PrfpipeError
from prfpipe.gates.measurement import GateOptions
from prfpipe.gates.run import run_gate
from prfpipe.gates.spec import Gate
from prfpipe.gates.summary import Ended, Failed
from prfpipe.models import DeploymentProfile
from prfpipe.progress import Progress
from prfpipe.settings import Settings

EXIT_CODES = {"pass": 0, "warn": 0, "fail": 1, "undecided": 3}
_WORST_FIRST = (PrfpipeError.exit_code, InputError.exit_code, 1, 3, 0)


def run_gates(
    gates: Sequence[Gate], profile: DeploymentProfile, options: GateOptions, settings: Settings, progress: Progress
) -> Iterator[Ended]:
    """What each gate says, in order and as soon as it does; a gate that cannot be measured says why."""
    return (_try(gate, profile, options, settings, progress) for gate in gates)


def stopped(gates: Sequence[Gate]) -> list[Ended]:
    """Of gates that did not get their turn, or not to its end: nothing was measured."""
    message, hint = "stopped before it was decided", "Run it again; what was measured is kept beside the reports."
    return [Failed(gate.spec.id, gate.spec.title, "Stopped", message, hint, PrfpipeError.exit_code) for gate in gates]


def _try(gate: Gate, profile: DeploymentProfile, options: GateOptions, settings: Settings, progress: Progress) -> Ended:
    try:
        return run_gate(gate, profile, options, settings, progress)
    except PrfpipeError as error:
        notes = tuple(line for note in getattr(error, "__notes__", ()) for line in note.splitlines())
        kind, code = type(error).__name__, error.exit_code
        return Failed(gate.spec.id, gate.spec.title, kind, error.message, error.hint, code, notes)


def exit_code(ended: Sequence[Ended]) -> int:
    """The worst: 4 nothing measured, 2 bad input, 1 over budget, 3 undecided, 0; without any gate 4."""
    codes = {item.exit_code if isinstance(item, Failed) else EXIT_CODES[item.state] for item in ended}
    return next((code for code in _WORST_FIRST if code in codes), PrfpipeError.exit_code)
