"""Runs of real gates on small programs: a folder, its context, an answer."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from prfpipe import host
from prfpipe.gates.ledger import in_force
from prfpipe.gates.measurement import GateContext, GateOptions
from prfpipe.gates.run import run_gate
from prfpipe.gates.several import exit_code, run_gates
from prfpipe.gates.spec import Gate, load_gate
from prfpipe.gates.summary import Ended, Failed
from prfpipe.models import DeploymentProfile, GateReport
from prfpipe.progress import Silent
from prfpipe.settings import Settings
from tests.support.gates import gate_yaml, sealed
from tests.support.plans import noise

TODAY = date(2026, 11, 23)
PROFILE = DeploymentProfile.DEV_LOCAL
ROOT = Path(__file__).resolve().parents[2]


def gate_of(folder: Path, files: Mapping[str, str], budgets: Mapping[str, float], **keys: Any) -> Gate:
    """A gate in `folder` with these files; `keys` stand in its gate.yaml."""
    folder.mkdir()
    for name, source in files.items():
        (folder / name).write_text(source)
    levers = {name: json.loads(files[name]) for name in files if name == "lever.yaml"}
    (folder / "gate.yaml").write_text(json.dumps(sealed(gate_yaml(budgets, **keys), **levers)))
    return load_gate(folder)


def settings_of(tmp_path: Path, **changes: Any) -> Settings:
    """Reports and lock of its own, so that tests need not wait for whoever measures."""
    return Settings(lock=tmp_path / "host.lock", gate_reports=tmp_path / "reports", **changes)


def report_of(gate: Gate, tmp_path: Path, settings: Settings | None = None, **options: Any) -> GateReport:
    """What a run of the gate found."""
    return run_gate(gate, PROFILE, GateOptions(**options), settings or settings_of(tmp_path), Silent())


def answer_of(gate: Gate, tmp_path: Path, settings: Settings | None = None, **options: Any) -> tuple[int, Ended]:
    """The exit code of a run of the gate, and its report or failure."""
    ended = list(run_gates([gate], PROFILE, GateOptions(**options), settings or settings_of(tmp_path), Silent()))
    return exit_code(ended), ended[0]


def failure_of(gate: Gate, tmp_path: Path, settings: Settings | None = None, **options: Any) -> Failed:
    """How the gate failed to measure: with exit code 4."""
    code, ended = answer_of(gate, tmp_path, settings, **options)
    assert isinstance(ended, Failed), ended
    assert code == 4
    return ended


def context_of(gate: Gate, tmp_path: Path, **options: Any) -> GateContext:
    """A run of the gate, for what is asked of a measuring itself."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return GateContext(
        gate=gate,
        profile=PROFILE,
        options=GateOptions(**options),
        settings=settings_of(tmp_path),
        progress=Silent(),
        scratch=scratch,
        budgets=in_force(gate.spec, PROFILE, TODAY),
        host=host.fingerprint(),
        noise=noise(),
    )
