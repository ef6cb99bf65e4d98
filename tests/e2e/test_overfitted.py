"""LEV-05 with parameters that were tuned on one profile alone: right in every answer, faster there, and rejected."""

import json
import shutil
from pathlib import Path

from tests.e2e.evaluations import prfpipe

LEVER = Path(__file__).parents[2] / "levers" / "lev_05_scheduler"


def test_a_tuning_that_does_not_generalize_is_rejected_by_the_profile_that_it_slows_down(tmp_path: Path) -> None:
    folder = tmp_path / "lever"
    shutil.copytree(LEVER, folder)
    shutil.copy(folder / "overfitted.json", folder / "tuned.json")
    done = prfpipe(tmp_path, "evaluate", str(folder), "--inline", "--accept-noise", "--json")
    assert done.code == 1, done.err
    strata = {item["scenario"]: item["state"] for item in done.document["strata"]}
    assert strata["dev_local"] == "violated"
    assert strata["ci_dev"] == "holds"
    assert "dev_local" in done.reason("stratum-slower")
    proof = json.loads((done.bundle / "art-04-proof" / "lockstep.json").read_text(encoding="utf-8"))
    assert all(not found["differences"] for found in proof["lockstep"]), "its answers are right"
