"""Budgets and ledgers without measuring anything; and that a ledger only grew since a commit."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from prfpipe.errors import GateError, InputError
from prfpipe.gates.ledger import check_extends
from prfpipe.gates.spec import FILE_NAME, Gate, load_gate, read_spec
from prfpipe.models import GateSpec


@dataclass(frozen=True)
class Checked:
    """A gate's folder, and either its gate or what is wrong with it."""

    folder: Path
    gate: Gate | None
    problem: str = ""


def check_gates(gates: Path, against: str | None = None) -> list[Checked]:
    """Every gate under a folder, in the order of names; `against`: a commit whose ledgers must be continued.

    Raises:
        GateError: there is no gate at all, or no such commit.
    """
    found = list(_check_all(gates, against))
    if not found:
        raise GateError(f"no gates under {gates}", hint="PRFPIPE_GATES names the folder of the gates.")
    return found


def _check_all(gates: Path, against: str | None) -> Iterator[Checked]:
    before = {} if against is None else _specs_at(gates, against)
    for path in sorted(gates.glob(f"*/{FILE_NAME}")):
        try:
            gate = load_gate(path.parent)
            if gate.spec.id in before:
                check_extends(before[gate.spec.id], gate.spec, f"{path} against {against}")
            yield Checked(path.parent, gate)
        except InputError as error:
            yield Checked(path.parent, None, error.message)


def _specs_at(gates: Path, commit: str) -> dict[str, GateSpec]:
    """The gates that a commit has under the folder, by id: a folder that was renamed has the ledger that it had."""
    _git(gates, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}", missing=f"no commit {commit!r}")
    listed = _git(gates, "ls-tree", "-r", "-z", "--name-only", commit, "--", ".").decode().split("\0")
    specs = (_spec_at(gates, commit, name) for name in listed if Path(name).name == FILE_NAME and name.count("/") == 1)
    return {spec.id: spec for spec in specs}


def _spec_at(gates: Path, commit: str, name: str) -> GateSpec:
    with TemporaryDirectory(prefix="prfpipe-gate-") as scratch:
        path = Path(scratch, FILE_NAME)
        path.write_bytes(_git(gates, "show", f"{commit}:./{name}"))
        try:
            return read_spec(path)[0]
        except GateError as error:
            where = error.message.replace(str(path), f"{commit}:{gates.name}/{name}")
            raise GateError(where, hint="--against needs a commit whose gates this version can read.") from error


def _git(folder: Path, *words: str, missing: str = "git failed") -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GateError(f"git: {error}", hint="--against needs git and a checkout with that commit.") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise GateError(f"{missing}: {said}".rstrip(": "), hint="In CI check out the whole history (fetch-depth: 0).")
    return done.stdout
