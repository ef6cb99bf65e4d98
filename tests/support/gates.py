"""Small real gates: folders with budgets and their ledger, and a measuring that asks a tiny program for its times."""

import errno
import json
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from prfpipe.errors import SubjectCrashError
from prfpipe.gates import ledger
from prfpipe.gates.boundaries import looks_up_to
from prfpipe.gates.decide import p99, word
from prfpipe.gates.measurement import GateContext, Moment, Sampled
from prfpipe.models import (
    BudgetInForce,
    DeploymentProfile,
    GateCheck,
    GateReport,
    GateSpec,
    GateTable,
)
from tests.support.plans import host, noise, provenance

PROFILES = ("dev_local", "ci_dev", "enterprise")
REASON = "the figure of the doctrine, as it was first written"
SUBJECT = Path(__file__).with_name("gate_subject.py")


def gate_yaml(budgets: Mapping[str, float] | None = None, **changes: Any) -> dict[str, Any]:
    """The values of a gate.yaml whose budgets (ms) are the same in all profiles; `changes` replace keys."""
    found = dict(budgets or {"work": 100.0})
    profiles = {profile: dict(found) for profile in PROFILES}
    return {
        "id": "PRF-02",
        "title": "A gate of tests",
        "version": 1,
        "subject": {"python": "subject.py"},
        "budgets": profiles,
        "changes": [{"date": "2026-11-01", "reason": REASON, "set": {name: dict(found) for name in PROFILES}}],
        **changes,
    }


def sealed(data: Mapping[str, Any], **beside: object) -> dict[str, Any]:
    """The same gate.yaml, whose first entry names what is measured; `beside`: the values of its other files.

    Data that no gate could have stay as they are, and so do those that name it themselves.
    """
    try:
        spec = GateSpec.model_validate_json(json.dumps(data))
    except ValidationError:
        return dict(data)
    if any(change.measures for change in spec.changes):
        return dict(data)
    found = {name: ledger.digest_of(value) for name, value in beside.items()}
    first, *rest = data["changes"]
    return {**data, "changes": [{**first, "measures": {"gate.yaml": ledger.measured(spec), **found}}, *rest]}


def write_gate(folder: Path, data: Mapping[str, Any]) -> Path:
    """Write a gate's folder, `sealed`; its subject is the tiny program. JSON is YAML."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gate.yaml").write_text(json.dumps(sealed(data), indent=1))
    (folder / "subject.py").write_bytes(SUBJECT.read_bytes())
    return folder


class Tiny(Sampled):
    """The times that the gate's subject tells.

    `params.work`: its arguments by subject; `lose`: so many are held back; `full`: the disk is, after this.
    """

    def __init__(self, context: GateContext) -> None:
        self.context = context
        self.params: dict[str, Any] = context.gate.spec.params
        self.taken: dict[str, list[int]] = {name: [] for name in self.params["work"]}

    def take(self, count: int, subjects: Collection[str]) -> None:
        for name, words in self.params["work"].items():
            if name in subjects or name not in self.context.budgets:
                self.taken[name] += self._run(count, words)[self.params.get("lose", 0) :]
        if self.params.get("full"):
            raise OSError(errno.ENOSPC, "No space left on device", "/tmp/prfpipe-gate-x/work")

    def _run(self, count: int, words: Sequence[int]) -> list[int]:
        argv = [sys.executable, "-I", "-S", "subject.py", str(count), *map(str, words)]
        done = subprocess.run(argv, cwd=self.context.gate.root, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SubjectCrashError("the tiny subject died", hint="Look at what it wrote.")
        return [int(line) for line in done.stdout.split()]

    def samples(self) -> Mapping[str, Sequence[int]]:
        return self.taken

    def phases(self) -> Mapping[str, Mapping[str, Sequence[int]]]:
        return {"work": {"first half": [value // 2 for value in self.taken.get("work", [])] or [1]}}

    def timeline(self) -> Sequence[Moment]:
        return [Moment(at, value, "add", "work") for at, value in enumerate(self.taken.get("work", []))]

    def tables(self) -> Sequence[GateTable]:
        return [GateTable(title="Ratio to static", columns=("subject", "ratio"), rows=(("work", "1.02"),))]

    def notes(self) -> Sequence[str]:
        return ["measured in a test"]

    def profile(self, subject: str, folder: Path) -> bytes | None:
        if self.params.get("stacks") == "lost":
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(folder / "start-0.folded"))
        stacks: str = self.params.get("stacks", "main (subject.py);busy (subject.py) 420\n")
        return stacks.encode() or None


def open_measurement(context: GateContext) -> Sampled:
    """What `run.MEASURES` asks of a module."""
    return Tiny(context)


# ---- records -----------------------------------------------------------------------------------------------


def budget(subject: str = "work", limit: float | None = 100.0, **more: Any) -> BudgetInForce:
    """A budget in force; `limit` in the gate's unit."""
    return BudgetInForce(subject=subject, budget=limit, standing=more.pop("standing", limit), **more)


def milliseconds(*values: float) -> list[int]:
    """Samples in ns."""
    return [round(value * 1_000_000) for value in values]


def check(samples: Sequence[int], limit: float | None = 100.0, subject: str = "work", most: int = 2000) -> GateCheck:
    """A p99 check of samples at a budget in ms."""
    why = {} if limit is not None else {"out_of_scope": "no path of this length can carry it at all"}
    return p99(budget(subject, limit, **why), samples, looks_up_to(most), 80.0)


def report(*checks: GateCheck, **changes: Any) -> GateReport:
    """A report of these checks."""
    return GateReport.model_validate({**_REPORT, "state": word(checks), "checks": checks, **changes})


_REPORT: dict[str, Any] = {
    "run_id": "20261123T120000Z-prf-02-0123abcd",
    "id": "PRF-02",
    "title": "A gate of tests",
    "profile": DeploymentProfile.DEV_LOCAL,
    "budget_version": 1,
    "warn_at_percent": 80.0,
    "host": host(),
    "noise": noise(),
    "provenance": provenance(),
    "spec_sha256": "0" * 64,
    "wall_seconds": 1.5,
}
