"""The whole loop on real lever folders outside of the repository: what is adopted, and what is found out.

How small an effect is decided is told of recorded samples, in tests/unit/test_verdict.py: here the machine may be busy.
"""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from prfpipe import layout
from prfpipe.cli.output import EXIT_CODES
from prfpipe.doctrine import Stage
from tests.e2e.evaluations import TIMEOUT_SECONDS, Done, evaluate, left_behind, prfpipe

Evaluated = Callable[..., Done]
PARTIAL = layout.SAMPLES[Stage.REPROFILE] + layout.PARTIAL_SUFFIX


# ---- a lever that is what it says ----------------------------------------------------------------------


def test_a_faster_candidate_is_adopted(evaluated: Evaluated) -> None:
    """By recorded clocks: a real machine may be too busy to adopt anything, and that is as it has to be."""
    done = evaluated("faster")
    assert (done.code, done.document["verdict"], done.document["claim"]) == (0, "adopt", "met"), done.err


def test_the_json_document_says_all_that_a_program_needs(evaluated: Evaluated) -> None:
    document = evaluated("faster").document
    assert document.keys() >= {"run_id", "lever", "reasons", "bundle", "aa_control", "effort", "wall_seconds"}
    scenario = document["scenarios"]["small"]
    assert scenario["speedup"]["low"] <= scenario["speedup"]["estimate"] <= scenario["speedup"]["high"]
    assert {"p50", "p95", "p99", "throughput", "peak_rss", "cold_start"} <= _figure_names(scenario["candidate"])


def _figure_names(arm: dict[str, object]) -> set[str]:
    return {metric for metric in ("p50", "p95", "p99", "throughput", "peak_rss", "cold_start") if _named(metric, arm)}


def _named(metric: str, arm: dict[str, object]) -> bool:
    return any(name.startswith(metric) for name in arm)


def test_an_adopted_bundle_has_every_artifact_and_audits_clean(evaluated: Evaluated) -> None:
    done = evaluated("faster")
    files = {path.relative_to(done.bundle).as_posix() for path in done.bundle.rglob("*") if path.is_file()}
    plan = layout.read_plan({layout.PLAN: (done.bundle / layout.PLAN).read_bytes()})
    assert layout.missing_files(plan, files) == {}
    audited = prfpipe(done.home, "audit", str(done.bundle), "--json")
    assert (audited.code, audited.document["accepted"], audited.document["verdict"]) == (0, True, "adopt"), audited.out


def test_progress_goes_to_stderr_and_nothing_of_the_work_is_left(evaluated: Evaluated) -> None:
    done = evaluated("faster")
    assert "re-profile: small" in done.err
    assert "s left" in done.err
    assert [path for path in done.run_folder.parent.iterdir() if path.is_dir()] == [done.run_folder]
    assert left_behind(done.home) == []


def test_a_gain_is_seen_in_real_times(evaluated: Evaluated) -> None:
    """Catches arms, clocks or signs that were mixed up; it is not profiled, so that it stays undecided."""
    done = evaluated("many_times_faster")
    assert done.code == 3, done.err
    assert "faster" in done.codes
    assert done.document["scenarios"]["small"]["speedup"]["estimate"] > 2


# ---- no gain ---------------------------------------------------------------------------------------------


def test_a_candidate_that_equals_the_baseline_is_never_adopted(evaluated: Evaluated) -> None:
    """Once in 20,000 runs chance shows a gain at this effort; a bias towards one arm would show it each time."""
    done = evaluated("equal", "--effort", "rigorous")
    assert done.code in {1, 3}, done.err
    assert "faster" not in done.codes


def test_a_candidate_that_takes_many_times_as_long_is_rejected(evaluated: Evaluated) -> None:
    done = evaluated("many_times_slower")
    assert done.code == 1, done.err
    assert "slower" in done.codes
    assert done.document["scenarios"]["small"]["speedup"]["estimate"] < 0.5


# ---- wrong answers ---------------------------------------------------------------------------------------


def test_a_faster_candidate_that_is_wrong_on_an_edge_case_is_rejected_and_the_case_is_named(
    evaluated: Evaluated,
) -> None:
    done = evaluated("wrong_on_an_edge_case")
    assert done.code == 1, done.err
    assert "`one word, twice`" in done.reason("edge-case-wrong")
    assert done.document["scenarios"]["small"]["speedup"]["low"] > 1


def test_a_rejected_bundle_audits_clean_too(evaluated: Evaluated) -> None:
    done = evaluated("wrong_on_an_edge_case")
    audited = prfpipe(done.home, "audit", done.document["run_id"], "--json")
    assert (audited.code, audited.document["verdict"]) == (0, "reject"), audited.out


# ---- what is left behind -----------------------------------------------------------------------------------


def test_a_daemon_does_not_outlive_the_evaluation(evaluated: Evaluated) -> None:
    done = evaluated("leaving_a_daemon")
    assert done.code in EXIT_CODES.values(), done.err
    assert left_behind(done.home) == []


# ---- a gain that costs too much --------------------------------------------------------------------------


def test_ten_times_the_memory_and_a_slow_start_are_too_high_a_price(evaluated: Evaluated) -> None:
    done = evaluated("costly")
    assert done.code == 1, done.err
    states = {guard["metric"]: guard["state"] for guard in done.document["guards"]}
    assert states["peak_rss"] == "violated"
    # A start takes many times as long on a busy machine, and then it may be open which one took longer.
    assert states["cold_start"] in {"violated", "undecided"}


def test_a_gain_on_the_primary_scenario_does_not_hide_a_loss_on_a_stratum(evaluated: Evaluated) -> None:
    done = evaluated("slower_on_a_stratum")
    assert done.code == 1, done.err
    assert done.reason("stratum-slower").startswith("tiny: ")
    assert done.document["scenarios"]["small"]["speedup"]["estimate"] > 1
    assert {item["scenario"]: item["state"] for item in done.document["strata"]} == {
        "small": "holds",
        "tiny": "violated",
    }
    audited = prfpipe(done.home, "audit", str(done.bundle), "--json")
    assert (audited.code, audited.document["verdict"]) == (0, "reject"), audited.out


# ---- candidates that fail --------------------------------------------------------------------------------


def _message(done: Done) -> str:
    """The one message that a failed command ends with."""
    assert done.out == ""
    assert "Traceback" not in done.err
    assert done.err.count("\nprfpipe: ") == 1
    return done.err[done.err.index("\nprfpipe: ") :]


@pytest.mark.parametrize(
    ("variety", "said"),
    [
        ("hanging", "did not answer within 5 s"),
        ("missing_import", "No module named 'not_installed_anywhere'"),
        ("crashing_once", "a bolt from the blue"),
    ],
)
def test_a_candidate_that_fails_ends_with_one_clear_message(evaluated: Evaluated, variety: str, said: str) -> None:
    done = _failed(evaluated, variety)
    assert done.code == 4
    assert said in _message(done)
    assert "LEV-TEST candidate" in _message(done)
    assert left_behind(done.home) == []


@pytest.mark.parametrize("variety", ["hanging", "missing_import", "crashing_once"])
def test_what_was_measured_before_a_failure_is_kept_and_the_journal_says_why(
    evaluated: Evaluated, variety: str
) -> None:
    done = _failed(evaluated, variety)
    assert gzip.decompress((done.run_folder / layout.SAMPLES[Stage.BASELINE]).read_bytes()).count(b'"invocation"') > 0
    last = json.loads((done.run_folder / layout.RUNLOG).read_bytes().splitlines()[-1])
    assert last["status"] == "failed"
    assert "LEV-TEST candidate" in last["note"]


def _failed(evaluated: Evaluated, variety: str) -> Done:
    seconds = "5" if variety == "hanging" else TIMEOUT_SECONDS
    # One of them counts its invocations in a file, which the sandbox is there to prevent.
    return evaluated(variety, PRFPIPE_SUBJECT_TIMEOUT_SECONDS=seconds, PRFPIPE_SANDBOX="off")


def test_a_failure_names_the_command_that_goes_on(evaluated: Evaluated) -> None:
    done = _failed(evaluated, "hanging")
    assert f"--resume {done.run_folder.name}" in done.err


def test_a_run_whose_candidate_crashed_goes_on_with_a_new_sample_set_beside_the_old_one(evaluated: Evaluated) -> None:
    done = _failed(evaluated, "crashing_once")
    interrupted = done.run_folder / layout.interrupted_samples(Stage.REPROFILE, 1)
    resumed = evaluate(done.home, done.home / "lever", "--resume", done.run_folder.name, PRFPIPE_SANDBOX="off")
    assert resumed.code in EXIT_CODES.values(), resumed.err
    assert gzip.decompress(interrupted.read_bytes()).count(b'"kind":"invocation"') == 2
    audited = prfpipe(done.home, "audit", str(resumed.bundle))
    assert audited.code == 0, audited.out


def test_a_lever_folder_that_changed_cannot_go_on_with_its_old_plan(evaluated: Evaluated) -> None:
    done = _failed(evaluated, "missing_import")
    (done.home / "lever" / "candidate.py").write_text("import json\n")
    _remove(done.run_folder.with_name(done.run_folder.name + ".work"))
    resumed = evaluate(done.home, done.home / "lever", "--resume", done.run_folder.name)
    assert resumed.code == 2
    assert "has changed since the plan was made" in resumed.err


def _remove(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()
