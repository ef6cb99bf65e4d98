"""`prfpipe evaluate all`, for real: two levers, two bundles, one table."""

from pathlib import Path

from tests.e2e.evaluations import SCENARIOS, prfpipe
from tests.support.levers import BASELINE, write_lever


def test_each_lever_gets_its_own_bundle_and_a_place_in_the_table(tmp_path: Path) -> None:
    parts = {"profiles": [], "scenarios": SCENARIOS}
    write_lever(tmp_path / "levers" / "one", id="TEST-01", **parts)
    write_lever(tmp_path / "levers" / "two", id="TEST-02", candidate=BASELINE, **parts)
    done = prfpipe(tmp_path, "evaluate", "all", "--inline", "--accept-noise", "--json")
    ended = {item["lever"]: item for item in done.document["levers"]}
    assert list(ended) == ["TEST-01", "TEST-02"]
    assert done.code in (1, 3)
    assert ended["TEST-02"]["verdict"] != "adopt"
    for item in ended.values():
        assert prfpipe(tmp_path, "audit", item["run_id"]).code == 0
    shown = prfpipe(tmp_path, "results")
    assert shown.code == 0
    assert {line.split()[0] for line in shown.out.splitlines() if line.startswith("TEST-")} == set(ended)
