"""Prefect's pages in a real browser: a lever is launched from the form and its evidence looked at; or refused.

With short efforts, and a lever that takes seconds in the place of LEV-01; `make browser` does the same with the real
one. The pictures are for people: their folder is printed.
"""

import shlex
import sys
from collections.abc import Iterator

import pytest

from calibration.prefect_cost import processes, threads
from prfpipe import host
from tests.browser import journeys, pages
from tests.e2e.evaluations import SCENARIOS
from tests.support.levers import write_lever
from tests.support.up import ROOT, Running, prfpipe_up, shorten_runs

pytestmark = [pytest.mark.server, pytest.mark.slow]

SHORT = ROOT / "tests" / "flows" / "short.py"
PICTURES = ROOT / ".prfpipe" / "screenshots"
SECONDS = 200


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("up")
    write_lever(home / "levers" / "lev_01", id="LEV-01", profiles=["py-spy"], scenarios=SCENARIOS)
    with prfpipe_up(home, changes={"PRFPIPE_LEVERS": str(home / "levers")}) as running:
        shorten_runs(running.server, shlex.join([sys.executable, str(SHORT), "prefect.engine"]))
        yield running


@pytest.fixture
def ui(running: Running, request: pytest.FixtureRequest) -> Iterator[pages.Ui]:
    folder = PICTURES / request.node.name
    with pages.browser(running.up["ui"], folder) as ui:
        yield ui
    sys.stdout.write(f"pictures: {folder}\n")


def _runs(running: Running) -> list[str]:
    deployment = running.server.get("deployments/name/evaluate-lever/evaluate-lever")
    return [run["id"] for run in running.server.find("flow_runs", deployments={"id": {"any_": [deployment["id"]]}})]


def test_a_lever_is_launched_from_the_form_and_its_verdict_and_flamegraph_are_seen(
    running: Running, ui: pages.Ui
) -> None:
    run, shown = journeys.evaluate_lev_01(ui, SECONDS)
    assert _runs(running) == [run]
    flamegraphs = [width for title, width in shown.items() if title.startswith("Flamegraph")]
    assert flamegraphs
    assert all(width > 0 for width in shown.values())


def test_a_refused_parameter_is_shown_and_no_run_is_created(running: Running, ui: pages.Ui) -> None:
    before = _runs(running)
    assert "greater than or equal to 0" in journeys.ask_for_a_refused_seed(ui)
    assert _runs(running) == before


def test_the_server_keeps_off_the_core_that_measures_with_every_thread(running: Running) -> None:
    """The worker may use every CPU: its runs inherit what it may use, and one of theirs is the one that measures."""
    found = processes(running)
    assert sorted(found) == ["server", "worker"]
    if len(host.available_cpus()) > 1:
        assert all(host.measuring_cpu() not in allowed for allowed in threads(found["server"]))
