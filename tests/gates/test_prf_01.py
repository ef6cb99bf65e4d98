"""PRF-01 on the reference runtime: its phases, its budgets, and that a start which verified nothing does not count."""

from pathlib import Path

import pytest

from prfpipe import doctrine
from prfpipe.gates import cold_start
from prfpipe.gates.cold_start import LAST_PHASE, open_measurement
from prfpipe.gates.spec import load_gate
from prfpipe.models import GateReport
from tests.support.gate_copies import GATES, copy_of
from tests.support.gate_runs import answer_of, context_of, failure_of

FOLDER = "prf_01_cold_start"
SLEPT_NS = 40_000_000
PHASES = ["interpreter", "imports", "config", "trust", "first operation", LAST_PHASE]
COPY = '    shutil.copytree(_template(params["records"]), workdir, dirs_exist_ok=True)\n'


def test_the_doctrines_budget_holds_for_wall_and_cpu_time_in_every_profile() -> None:
    (principle,) = [each for each in doctrine.PRINCIPLES if each.id == "PRF-01"]
    spec = load_gate(GATES / FOLDER).spec
    assert {limit for budgets in spec.budgets.values() for limit in budgets.values()} == {principle.budget}
    assert {name for budgets in spec.budgets.values() for name in budgets} == {"wall", "cpu"}


def test_a_start_shows_each_phase_of_the_runtime(tmp_path: Path) -> None:
    with open_measurement(context_of(load_gate(GATES / FOLDER), tmp_path)) as measured:
        measured.take(2, {"wall", "cpu"})
        phases, samples = measured.phases()["wall"], measured.samples()
    assert list(phases) == PHASES
    assert [sum(parts) for parts in zip(*phases.values(), strict=True)] == samples["wall"]


def test_too_few_starts_leave_the_gate_open(tmp_path: Path) -> None:
    code, report = answer_of(load_gate(GATES / FOLDER), tmp_path, samples=2)
    assert code == 3
    assert isinstance(report, GateReport)
    assert {check.state for check in report.checks} == {"undecided"}


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        ("(workdir / 'trust' / 'policies.cedar').write_text('permit(principal, action, resource);')", "TamperedError"),
        ("(workdir / 'audit.log').write_bytes((workdir / 'audit.log').read_bytes()[:-9])", "AuditError"),
        ("(workdir / 'trust' / 'manifest').write_bytes(b'AA==\\n{}')", "ForgedError"),
        ("[each.write_text('x = 1') for each in (workdir / 'extensions').glob('*.py')]", "TamperedError"),
        ("(workdir / 'config.json').unlink()", "ConfigError"),
    ],
    ids=["policy changed", "audit log cut", "manifest forged", "extensions changed", "no configuration"],
)
def test_a_start_verifies_what_it_starts_on(tmp_path: Path, spoil: str, fault: str) -> None:
    gate = copy_of(tmp_path, FOLDER, world=(COPY, f"{COPY}    {spoil}\n"))
    failed = failure_of(gate, tmp_path, samples=1)
    assert "ended with 1" in failed.message
    assert fault in "\n".join(failed.notes)


def test_a_runtime_that_answers_by_heart_is_found_out(tmp_path: Path) -> None:
    gate = copy_of(tmp_path, FOLDER, subject=('runtime.perform("extensions", json.loads(sys.stdin.readline()))', "{}"))
    assert "gave a wrong first answer" in failure_of(gate, tmp_path, samples=1).message


@pytest.mark.slow
def test_a_start_made_slow_on_purpose_turns_the_gate_red_and_shows_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cold_start, "PROFILED_STARTS", 3)
    gate = copy_of(
        tmp_path,
        FOLDER,
        subject=("    runtime = ", f"    import time\n    time.sleep({SLEPT_NS / 1e9})\n    runtime = "),
        gate=("wall: 100", "wall: 20"),
    )
    code, report = answer_of(gate, tmp_path, samples=100)
    assert code == 1
    assert isinstance(report, GateReport)
    wall = next(check for check in report.checks if check.subject == "wall")
    assert wall.state == "fail"
    # What it sleeps is in this phase and in no other, however long a busy machine takes for the rest.
    assert wall.phases["config"].p50_ns >= SLEPT_NS
    assert list(wall.phases) == PHASES
    assert wall.flamegraph.endswith(".svg")
