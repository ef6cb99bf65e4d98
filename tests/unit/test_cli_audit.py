"""`prfpipe audit` on one bundle: every check, every figure, what it does not show, and its exit codes."""

import shutil
from pathlib import Path

import pytest

from prfpipe.audit import audit_files
from prfpipe.audit.checks import CHECKS
from prfpipe.cli.audit_text import text
from prfpipe.layout import REPORT, STATEMENT
from prfpipe.store.evidence import ROOT
from tests.golden.bundles import corpus
from tests.support.bundles import RUN_ID
from tests.support.commands import Ended, prfpipe


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return corpus.write(corpus.golden("good-adopted").files, tmp_path / "bundle")


def audited(folder: Path, *options: str) -> Ended:
    return prfpipe("audit", str(folder), "--trust", str(corpus.TRUSTED), *options)


def test_checks_that_were_not_reached_are_one_line_and_stay_in_the_report() -> None:
    report = audit_files({})
    lines = text(report).splitlines()
    assert sum(line.startswith("FAIL") for line in lines) == 1
    assert [line for line in lines if line.startswith("?")] == [
        f"?     {len(CHECKS) - 1} more checks were not reached: what they rest on fails"
    ]
    assert "cannot be told" not in text(report)
    assert sum(check.result == "skipped" for check in report.checks) == len(CHECKS) - 1


def test_an_accepted_bundle_ends_with_0_and_a_refused_one_with_1(folder: Path) -> None:
    assert audited(folder).code == 0
    (folder / REPORT).write_bytes(b"other")
    ended = audited(folder)
    assert ended.code == 1
    assert "REFUSED: this bundle: nothing in it can be relied on" in ended.out


def test_no_folder_is_bad_usage_and_a_folder_in_the_place_of_a_file_a_refusal(tmp_path: Path, folder: Path) -> None:
    assert prfpipe("audit", str(tmp_path / "nothing")).code == 2
    assert prfpipe("audit", str(folder), "--trust", str(tmp_path / "nothing")).code == 2
    folder.joinpath(STATEMENT).unlink()
    folder.joinpath(STATEMENT).mkdir()
    assert audited(folder).code == 1


def test_every_figure_between_samples_and_verdict_is_printed(folder: Path) -> None:
    out = audited(folder).out
    for told in (
        "order seed 20261123, error rate 5 %",
        "a gain is a speed-up above 1.01x; claimed are 5x to 10x",
        "incremental-1000, primary: ",
        "| median of the baseline, ns: ",
        "| baseline / candidate: ",
        "| look after ",
        "error up to",
        "pair means, bounds are number ",
        "| A/A control ",
        "guard p99: holds: may get worse by 5 %, worst case ",
        "claim: met: met if the whole interval is at 5x or above",
    ):
        assert told in out


def test_what_no_audit_shows_is_said_with_what_makes_it_hard(folder: Path) -> None:
    out = audited(folder).out
    assert "whoever holds the signing key can make them up" in out
    assert "order seed 20261123" in out
    assert f"`prfpipe replay {RUN_ID}`" in out


def test_json_holds_the_same_and_nothing_else(folder: Path) -> None:
    found = audited(folder, "--json").document
    primary = found["workings"]["scenarios"][0]
    assert (found["accepted"], found["verdict"], found["signature"]["state"]) == (True, "adopt", "trusted")
    assert primary["pair_means"] == primary["invocations"] * (primary["invocations"] + 1) // 2
    assert len(primary["ratios"]) == len(primary["p50_ns"]["candidate"]) == primary["invocations"]
    low, high = primary["ranks"]
    assert low + high == primary["pair_means"] + 1
    assert found["workings"]["guards"][0]["max_regression_percent"] == 5.0
    assert len(found["not_shown"]) == 3
    assert len(found["raises_the_cost"]) == 4


def test_the_figures_are_those_that_a_person_gets_by_hand(folder: Path) -> None:
    primary = audited(folder, "--json").document["workings"]["scenarios"][0]
    times = primary["p50_ns"]
    ratios = [before / after for before, after in zip(times["baseline"], times["candidate"], strict=True)]
    assert primary["ratios"] == pytest.approx(ratios, abs=1e-6)
    means = sorted((a * b) ** 0.5 for at, a in enumerate(ratios) for b in ratios[at:])
    low, high = primary["ranks"]
    assert primary["speedup"]["low"] == pytest.approx(means[low - 1], abs=1e-6)
    assert primary["speedup"]["high"] == pytest.approx(means[high - 1], abs=1e-6)


def test_without_trust_the_origin_is_noted_as_not_shown(folder: Path) -> None:
    ended = prfpipe("audit", str(folder))
    assert ended.code == 0
    assert "note  The signature is that of a trusted signer: its origin is not shown" in ended.out


def test_with_trust_in_others_the_signer_is_refused(folder: Path) -> None:
    other = corpus.ROOT / "keys" / "golden-test-key-untrusted.pub"
    ended = prfpipe("audit", str(folder), "--trust", str(other))
    assert ended.code == 1
    assert "which you have not trusted" in ended.out


def test_several_signers_may_be_trusted_and_the_bundle_may_stand_last(folder: Path) -> None:
    other = corpus.ROOT / "keys" / "golden-test-key-untrusted.pub"
    assert prfpipe("audit", "--trust", str(other), "--trust", str(corpus.TRUSTED), str(folder)).code == 0


def test_a_run_in_a_store_is_audited_by_its_id(tmp_path: Path) -> None:
    run = tmp_path / ROOT / "lev-01" / RUN_ID
    corpus.write(corpus.golden("good-adopted").files, run)
    words = ("audit", RUN_ID, "--store", str(tmp_path), "--trust", str(corpus.TRUSTED))
    assert prfpipe(*words).code == 0
    (run / REPORT).write_bytes(b"other")
    ended = prfpipe(*words)
    assert (ended.code, "REFUSED" in ended.out) == (1, True)
    shutil.rmtree(run)
    assert prfpipe(*words).code == 4
