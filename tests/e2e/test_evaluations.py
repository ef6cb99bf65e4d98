"""The whole loop on real lever folders outside of the repository: a lever that is what it says, and ones that fail.

No verdict here is one on real times: those are in test_real_times.py, and have the machine to themselves.
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


# ---- what is left behind -----------------------------------------------------------------------------------


def test_a_daemon_does_not_outlive_the_evaluation(evaluated: Evaluated) -> None:
    done = evaluated("leaving_a_daemon")
    assert done.code in EXIT_CODES.values(), done.err
    assert left_behind(done.home) == []


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
    resumed = evaluate(done.home, done.home / "lever", "--resume", done.run_folder.name, PRFPIPE_SANDBOX="off")
    assert resumed.code == 2
    assert "has changed since the plan was made" in resumed.err


def _remove(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()
