"""LEV-05 with parameters that were tuned on one profile alone: right in every answer, and never adopted."""

import json
import shutil
from pathlib import Path

import yaml

from tests.e2e.evaluations import prfpipe

FINER = 3
LEVER = Path(__file__).parents[2] / "levers" / "lev_05_scheduler"


def test_a_tuning_that_does_not_generalize_is_stopped_by_the_profile_that_it_slows_down(tmp_path: Path) -> None:
    """With slots finer still, dev_local takes twice as long; on a busy machine that may stay open, and never holds."""
    folder = tmp_path / "lever"
    shutil.copytree(LEVER, folder)
    overfitted = json.loads((folder / "overfitted.json").read_bytes())
    overfitted["tuning"]["tick_bits"] -= FINER
    (folder / "tuned.json").write_text(json.dumps(overfitted))
    # What is not looked at here takes half of the time: profiles, and mutants of another tuning.
    spec = yaml.safe_load((folder / "lever.yaml").read_text())
    (folder / "lever.yaml").write_text(json.dumps(spec | {"profiles": [], "mutants": {}}))
    done = prfpipe(tmp_path, "evaluate", str(folder), "--inline", "--accept-noise", "--json")
    assert done.code in {1, 3}, done.err
    strata = {item["scenario"]: item["state"] for item in done.document["strata"]}
    assert strata["dev_local"] in {"violated", "undecided"}
    assert strata["ci_dev"] in {"holds", "undecided"}
    assert "dev_local: " in done.reason("stratum-slower") + done.reason("stratum-undecided")
    speedups = {name: found["speedup"]["estimate"] for name, found in done.document["scenarios"].items()}
    assert speedups["dev_local"] < speedups["ci_dev"]
    proof = json.loads((done.bundle / "art-04-proof" / "lockstep.json").read_text(encoding="utf-8"))
    assert all(not found["differences"] for found in proof["lockstep"]), "its answers are right"
