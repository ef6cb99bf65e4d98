"""`prfpipe results`: the newest result of each lever, from bundles that pass their audit."""

import json
from pathlib import Path

import pytest

from prfpipe.attest import read_statement
from prfpipe.layout import STATEMENT
from prfpipe.models import Effort
from prfpipe.plan import make_rule
from prfpipe.store import open_store
from prfpipe.store.evidence import archive
from tests.support import bundles
from tests.support.commands import prfpipe

OLDER, NEWER = "20261120T081500Z-lev-01-00000001", "20261122T081500Z-lev-01-00000002"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A standard evaluation of LEV-01, and a quick one after it."""
    runs, place = tmp_path_factory.mktemp("runs"), str(tmp_path_factory.mktemp("store"))
    for run_id, effort in ((OLDER, Effort.STANDARD), (NEWER, Effort.QUICK)):
        plan = bundles.plan(run_id=run_id, effort=effort)
        plan = plan.model_copy(update={"rule": make_rule(plan.lever, effort)})
        folder = bundles.build(runs, bundles.Parts.of(plan))
        manifest = read_statement((folder / STATEMENT).read_bytes()).files
        archive(open_store(place), folder, "LEV-01", run_id, manifest)
    return place


def test_the_newest_result_of_a_lever_is_shown_with_every_scenario(store: str) -> None:
    code, out, _ = prfpipe("results", "--store", store)
    assert code == 0
    rows = [line.split()[:3] for line in out.splitlines() if line.startswith("LEV-01")]
    assert rows == [["LEV-01", "adopt", name] for name in bundles.SPEEDUPS]


def test_a_newer_result_of_another_effort_does_not_hide_the_one_asked_for(store: str) -> None:
    newest, wanted = (prfpipe("results", "--store", store, "--json", *more) for more in ((), ("--effort", "standard")))
    assert [found["run_id"] for found in json.loads(newest[1])] == [NEWER]
    assert [found["run_id"] for found in json.loads(wanted[1])] == [OLDER]


def test_the_page_says_what_was_measured_where_and_by_which_run(store: str) -> None:
    page = prfpipe("results", "--store", store, "--effort", "standard", "--markdown")[1]
    assert page.startswith("# The levers, measured\n")
    assert "| [LEV-01](#lev-01) | 5–10× |" in page
    assert f"run `{OLDER}`: **adopt, claim met** (expected 5–10×)" in page
    assert all(f"| {name}" in page for name in bundles.SPEEDUPS)


@pytest.mark.parametrize("wanted", [("--effort", "rigorous"), ("--lever", "LEV-09")], ids=" ".join)
def test_where_there_is_no_such_result_it_says_so(store: str, wanted: tuple[str, str]) -> None:
    code, out, err = prfpipe("results", "--store", store, *wanted)
    assert (code, out) == (4, "")
    assert f"has no {wanted[1]} bundle" in err


def test_a_bundle_that_fails_its_audit_gives_no_result(store: str) -> None:
    [verdict] = Path(store).glob(f"evidence/v1/lev-01/{NEWER}/verdict.json")
    kept = verdict.read_bytes()
    verdict.chmod(0o644)
    verdict.write_bytes(kept.replace(b'"adopt"', b'"reject"'))
    code, out, err = prfpipe("results", "--store", store)
    verdict.write_bytes(kept)
    assert code != 0
    assert "LEV-01" not in out
    assert NEWER in err
