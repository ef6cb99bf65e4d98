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
    past = None if against is None else _Past(gates, against)
    for path in sorted(gates.glob(f"*/{FILE_NAME}")):
        try:
            gate = load_gate(path.parent)
            for name, before in past.ledgers_of(gate.spec.id) if past else ():
                check_extends(before, gate.spec, f"{path} against {against}:{name}")
            yield Checked(path.parent, gate)
        except InputError as error:
            yield Checked(path.parent, None, error.message)


class _Past:
    """The gates of a commit. Raises `GateError`: no such commit, or git fails."""

    def __init__(self, gates: Path, commit: str) -> None:
        self._gates, self._commit = gates, commit
        _git(gates, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}", missing=f"no commit {commit!r}")
        folder = _git(gates, "rev-parse", "--show-prefix").decode("utf-8", "surrogateescape").rstrip("\n")
        listed = _git(gates, "ls-tree", "-r", "-z", "--full-tree", "--name-only", commit)
        found = listed.decode("utf-8", "surrogateescape").split("\0")
        names = [name for name in found if Path(name).name == FILE_NAME]
        here = [name for name in names if name.startswith(folder) and name.removeprefix(folder).count("/") == 1]
        self._here = {name: self._spec(name) for name in here}
        self._elsewhere = [name for name in names if name not in self._here]

    def ledgers_of(self, identity: str) -> list[tuple[str, GateSpec]]:
        """Those of the gate with this id, whatever its folder was called; moved elsewhere, it has the one it had."""
        found = [(name, spec) for name, spec in self._here.items() if spec.id == identity]
        if found:
            return found
        everywhere = [(name, self._spec(name)) for name in self._elsewhere]
        return [(name, spec) for name, spec in everywhere if spec.id == identity]

    def _spec(self, name: str) -> GateSpec:
        with TemporaryDirectory(prefix="prfpipe-gate-") as scratch:
            path = Path(scratch, FILE_NAME)
            path.write_bytes(_git(self._gates, "show", f"{self._commit}:{name}"))
            try:
                return read_spec(path)[0]
            except GateError as error:
                where = error.message.replace(str(path), f"{self._commit}:{name}")
                hint = "--against needs a commit whose gates this version can read."
                raise GateError(where, hint=hint) from error


def _git(folder: Path, *words: str, missing: str = "git failed") -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GateError(f"git: {error}", hint="--against needs git and a checkout with that commit.") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise GateError(f"{missing}: {said}".rstrip(": "), hint="In CI check out the whole history (fetch-depth: 0).")
    return done.stdout
