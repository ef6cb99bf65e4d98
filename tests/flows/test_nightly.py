"""Every night again: a gain that stays, a gain that is gone, and what a person is told of it."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from flows.names import GAIN_LOST
from prfpipe import host
from prfpipe.attest import read_statement
from prfpipe.digests import sha256_hex
from prfpipe.history import histories
from prfpipe.history.losses import PAGE_KEY
from prfpipe.layout import STATEMENT
from prfpipe.store import open_store
from prfpipe.store.evidence import archive, list_bundles
from tests.e2e.clocks import recorded
from tests.e2e.evaluations import at_home
from tests.flows.prefect_server import Server
from tests.support import bundles
from tests.support.levers import BASELINE, CANDIDATE, WORKLOAD, write_lever

pytestmark = [pytest.mark.server, pytest.mark.slow]

LEVER, ADOPTED = "LEV-01", "20261120T081500Z-lev-01-00000001"
PARAMS = {"words": 200}
MORE_THAN_ADOPTED, NONE = 20.0, 1.0
"""By so much the candidate is faster: by recorded clocks, which no neighbour can change."""


@pytest.fixture
def place(flow: ModuleType, tmp_path: Path) -> Path:
    """A worker's folder; its store holds the evidence on which a lever of 7.4x was adopted on this host."""
    _adopt(tmp_path, ADOPTED)
    return tmp_path


def _adopt(home: Path, run_id: str) -> None:
    spec = bundles.plan().lever
    of_it = tuple(item.model_copy(update={"params": PARAMS}) for item in spec.scenarios)
    spec = spec.model_copy(update={"scenarios": of_it, "workload": "workload.py"})
    measured = {**bundles.plan().source_files, "workload.py": sha256_hex(WORKLOAD.encode())}
    plan = bundles.plan(run_id=run_id, lever=spec, source_files=measured)
    plan = plan.model_copy(update={"host": plan.host.model_copy(update={"name": host.name()})})
    folder = bundles.build(home / "adopted", bundles.Parts.of(plan))
    manifest = read_statement((folder / STATEMENT).read_bytes()).files
    archive(open_store(str(home / "evidence")), folder, LEVER, run_id, manifest)


def _lever(home: Path, baseline: str, candidate: str) -> None:
    scenarios = {name: {"primary": not at, "params": PARAMS} for at, name in enumerate(bundles.SPEEDUPS)}
    spec = {"id": LEVER, "profiles": [], "guards": {}, "scenarios": scenarios}
    write_lever(home / "levers" / "lever", baseline=baseline, candidate=candidate, **spec)


def _at(home: Path, flow: Any, **parameters: Any) -> Any:
    with at_home(home, {"PRFPIPE_LEVERS": str(home / "levers")}):
        state = flow(**parameters, return_state=True)
    assert state.is_completed(), state.message
    return state


def _nightly(home: Path, speedup: float) -> Any:
    with recorded(speedup):
        return _at(home, importlib.import_module("flows.nightly").nightly)


def test_a_gain_that_stays_is_a_point_in_the_history_and_no_news(server: Server, place: Path) -> None:
    _lever(place, BASELINE, CANDIDATE)
    state = _nightly(place, MORE_THAN_ADOPTED)
    assert state.message == f"1 adopted on {host.name()}, 0 lost gain, 0 without a verdict"
    [history] = histories(open_store(str(place / "evidence"))).found
    assert [point.reprofiles for point in history.points] == [None, ADOPTED]
    assert history.retention is not None
    assert (history.retention.adopted, history.retention.state) == (ADOPTED, "kept")
    pages = server.find("artifacts", artifacts={"flow_run_id": {"any_": [str(state.state_details.flow_run_id)]}})
    [page] = [item["data"] for item in pages if item["key"] == "nightly"]
    assert LEVER in page
    assert "data:image/svg+xml" in page
    assert (place / "evidence" / PAGE_KEY).read_bytes().startswith(b"<!doctype html>")


def test_a_gain_that_is_gone_is_told_as_an_event(server: Server, place: Path) -> None:
    """Also in a night in which the page of all histories cannot be replaced."""
    (place / "evidence" / PAGE_KEY).mkdir(parents=True)
    _lever(place, BASELINE, BASELINE)
    state = _nightly(place, NONE)
    assert f"of the speed-up of {ADOPTED} is left" in state.result()[LEVER]
    [history] = histories(open_store(str(place / "evidence"))).found
    [told] = server.events(GAIN_LOST, history.points[-1].run_id)
    assert told["resource"]["prefect.resource.id"] == f"prfpipe.lever.{LEVER}"
    assert told["payload"]["left"] < 0.8
    assert told["payload"]["store"] == "default"


def test_a_candidate_that_is_no_longer_right_is_told_however_fast_it_is(server: Server, place: Path) -> None:
    _lever(place, BASELINE, CANDIDATE.replace("if not words:", "if len(words) > 2:"))
    state = _nightly(place, MORE_THAN_ADOPTED)
    assert state.result()[LEVER].startswith("tonight it is rejected: ")
    [tonight] = {ref.run_id for ref in list_bundles(open_store(str(place / "evidence")))} - {ADOPTED}
    [told] = server.events(GAIN_LOST, tonight)
    assert told["payload"]["message"] == state.result()[LEVER]


def test_a_night_in_which_a_bundle_cannot_be_read_fails_and_names_it(place: Path) -> None:
    """The lever may have been adopted on its evidence, and would never be looked at again."""
    [verdict] = (place / "evidence").rglob("verdict.json")
    verdict.unlink()
    state = _ended(place)
    assert state.is_failed()
    assert state.message.startswith(f"0 adopted on {host.name()}, 0 lost gain, 0 without a verdict: {ADOPTED}: ")


def test_a_night_that_is_not_the_end_of_its_history_fails(place: Path) -> None:
    """A clock was ahead once: every later loss would be looked for in that run."""
    _adopt(place, ADOPTED.replace("2026", "2126", 1))
    _lever(place, BASELINE, CANDIDATE)
    with recorded(MORE_THAN_ADOPTED):
        state = _ended(place)
    assert state.is_failed()
    assert f"{LEVER}: its history does not end with tonight" in state.message


@pytest.mark.parametrize(
    ("asked", "why"), [({"of_host": "elsewhere"}, "only be confirmed there"), ({"lever": "LEV-09"}, "is not adopted")]
)
def test_a_second_look_at_what_is_not_here_fails(place: Path, asked: dict[str, str], why: str) -> None:
    _lever(place, BASELINE, CANDIDATE)
    state = _ended(place, **asked)
    assert state.is_failed()
    assert why in state.message


def _ended(home: Path, **parameters: Any) -> Any:
    with at_home(home, {"PRFPIPE_LEVERS": str(home / "levers")}):
        return importlib.import_module("flows.nightly").nightly(**parameters, return_state=True)


def test_without_an_adopted_lever_a_night_has_nothing_to_do(flow: ModuleType, tmp_path: Path) -> None:
    _lever(tmp_path, BASELINE, CANDIDATE)
    assert _nightly(tmp_path, NONE).message.startswith("0 adopted on ")


def test_a_lever_that_is_gone_fails_the_night_and_names_it(place: Path, tmp_path: Path) -> None:
    with at_home(place, {"PRFPIPE_LEVERS": str(tmp_path / "none")}):
        state = importlib.import_module("flows.nightly").nightly(return_state=True)
    assert state.is_failed()
    assert LEVER in state.message
