"""Budgets and ledgers without measuring anything; and that a ledger only grew since a commit."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from prfpipe.errors import GateError, InputError
from prfpipe.gates.ledger import check_extends
from prfpipe.gates.spec import FILE_NAME, Gate, load_gate, read_spec


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
    if against is not None:
        _git(gates, "rev-parse", "--verify", "--quiet", f"{against}^{{commit}}", missing=f"no commit {against!r}")
    for path in sorted(gates.glob(f"*/{FILE_NAME}")):
        try:
            gate = load_gate(path.parent)
            if against is not None:
                _check_against(gate, against)
            yield Checked(path.parent, gate)
        except InputError as error:
            yield Checked(path.parent, None, error.message)


def _check_against(gate: Gate, commit: str) -> None:
    listed = _git(gate.root, "ls-tree", "--name-only", commit, "--", FILE_NAME)
    if not listed.strip():
        return  # a new gate
    with TemporaryDirectory(prefix="prfpipe-gate-") as scratch:
        before = Path(scratch, FILE_NAME)
        before.write_bytes(_git(gate.root, "show", f"{commit}:./{FILE_NAME}"))
        check_extends(read_spec(before)[0], gate.spec, f"{gate.root / FILE_NAME} against {commit}")


def _git(folder: Path, *words: str, missing: str = "git failed") -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GateError(f"git: {error}", hint="--against needs git and a checkout with that commit.") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise GateError(f"{missing}: {said}".rstrip(": "), hint="In CI check out the whole history (fetch-depth: 0).")
    return done.stdout
