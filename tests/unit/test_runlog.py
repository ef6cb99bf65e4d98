"""The journal: the truth after a crash, whole or refused."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from prfpipe import layout
from prfpipe.bundle import RunFolder
from prfpipe.digests import canonical_json, sha256_hex
from prfpipe.doctrine import Stage
from prfpipe.errors import BundleError, TamperError
from prfpipe.runlog import RunLog, Step, claims, read_steps
from prfpipe.samples import SampleWriter
from tests.support import bundles

RUN = bundles.RUN_ID
PARTIAL = layout.SAMPLES[Stage.BASELINE] + layout.PARTIAL_SUFFIX


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[RunFolder]:
    with RunFolder.create(tmp_path, RUN) as run:
        yield run


def opened(folder: RunFolder) -> RunLog:
    return RunLog(folder, RUN, bundles.Clock())


def after_two_stages(folder: RunFolder) -> RunLog:
    log = opened(folder)
    log.started("plan")
    folder.write("plan.json", b"plan")
    log.finished("plan")
    log.started("baseline")
    folder.write("art-01-baseline/report.json", b"report")
    log.finished("baseline")
    log.close()
    return log


def test_a_new_run_has_finished_nothing(folder: RunFolder) -> None:
    assert opened(folder).finished_stages() == ()


def test_finished_stages_are_those_of_an_earlier_process(folder: RunFolder) -> None:
    after_two_stages(folder)
    again = opened(folder)
    assert again.finished_stages() == (Stage.PLAN, Stage.BASELINE)
    assert claims(again.steps).keys() == {"plan.json", "art-01-baseline/report.json"}


def test_each_line_holds_the_digest_of_the_one_before(folder: RunFolder) -> None:
    after_two_stages(folder)
    lines = folder.read("runlog.jsonl").splitlines()
    previous = [Step.model_validate_json(line).previous for line in lines]
    assert previous == [sha256_hex(RUN.encode()), *map(sha256_hex, lines[:-1])]


def test_a_failed_stage_can_be_started_again(folder: RunFolder) -> None:
    after_two_stages(folder)
    log = opened(folder)
    log.started("profile")
    log.failed("profile", "py-spy is missing")
    log.started("profile")
    log.finished("profile")
    assert opened(folder).finished_stages() == (Stage.PLAN, Stage.BASELINE, Stage.PROFILE)
    assert [step.note for step in log.steps if step.status == "failed"] == ["py-spy is missing"]


# ---- crashes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("torn", [b"{", b'{"seq":4,"previous"', b"\xff", b"x" * 5000])
def test_a_torn_last_line_is_cut(folder: RunFolder, torn: bytes) -> None:
    after_two_stages(folder)
    whole = folder.read("runlog.jsonl")
    with (folder.path / "runlog.jsonl").open("ab") as stream:
        stream.write(torn)
    assert opened(folder).finished_stages() == (Stage.PLAN, Stage.BASELINE)
    assert folder.read("runlog.jsonl") == whole


def test_a_journal_cut_at_any_byte_is_that_of_an_earlier_moment(folder: RunFolder) -> None:
    after_two_stages(folder)
    whole = folder.read("runlog.jsonl")
    for size in range(0, len(whole), 7):
        (folder.path / "runlog.jsonl").write_bytes(whole[:size])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(RunLog, "_recover", lambda self: None)
            assert len(opened(folder).steps) == whole[:size].count(b"\n")


def test_files_of_an_unfinished_stage_are_removed_and_those_of_finished_ones_kept(folder: RunFolder) -> None:
    after_two_stages(folder)
    log = opened(folder)
    log.started("profile")
    folder.write("art-02-profile/baseline/cpu.svg", b"half of a profile")
    log.close()
    opened(folder).close()
    assert set(folder.files()) == {"plan.json", "art-01-baseline/report.json", "runlog.jsonl"}


@pytest.mark.parametrize("finish", [False, True])
def test_samples_of_an_unfinished_stage_are_kept_and_not_counted(folder: RunFolder, *, finish: bool) -> None:
    log = opened(folder)
    log.started("baseline")
    with SampleWriter(folder, "baseline") as writer:
        writer.append(bundles.schedules(bundles.plan())[0])
        if finish:
            writer.finish()
    log.close()
    again = opened(folder)
    assert set(folder.files()) == {"runlog.jsonl", "art-01-baseline/samples-interrupted-1.jsonl.gz"}
    again.started("baseline")
    SampleWriter(folder, "baseline").finish()
    again.finished("baseline")
    assert set(claims(again.steps)) == {
        "art-01-baseline/samples-interrupted-1.jsonl.gz",
        "art-01-baseline/samples.jsonl.gz",
    }


def test_interrupted_samples_outlive_every_further_interruption(folder: RunFolder) -> None:
    for _ in range(3):
        with SampleWriter(folder, "baseline") as writer:
            writer.append(bundles.schedules(bundles.plan())[0])
        opened(folder).close()
    assert len(folder.files()) == 4


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_stage_whose_line_cannot_be_written_is_not_finished(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    log = opened(folder)
    log.started("plan")

    def fail(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(f"prfpipe.disk.os.{call}", fail)
    with pytest.raises(BundleError, match="No space left"):
        log.finished("plan")
    monkeypatch.undo()
    assert log.finished_stages() == opened(folder).finished_stages() == ()


# ---- damage ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["changed", "removed"])
def test_a_file_of_a_finished_stage_that_is_not_as_it_was_left_refuses(folder: RunFolder, change: str) -> None:
    after_two_stages(folder)
    path = folder.path / "plan.json"
    if change == "changed":
        path.write_bytes(b"plam")
    else:
        path.unlink()
    with pytest.raises(TamperError, match=r"plan\.json is missing, or is not what its stage left"):
        opened(folder).finished_stages()


Edit = Callable[[list[bytes]], list[bytes]]
EDITS: dict[str, Edit] = {
    "a line dropped": lambda lines: lines[:1] + lines[2:],
    "the first line dropped": lambda lines: lines[1:],
    "a line repeated": lambda lines: [*lines, lines[-1]],
    "two lines swapped": lambda lines: [lines[1], lines[0], *lines[2:]],
    "a digest changed": lambda lines: [lines[0], lines[1].replace(b'"size":4', b'"size":5'), *lines[2:]],
    "an unknown key": lambda lines: [*lines[:-1], b'{"a":1,' + lines[-1][1:]],
    "spaces": lambda lines: [*lines[:-1], lines[-1].replace(b",", b", ", 1)],
    "an empty line": lambda lines: [*lines, b""],
    "no JSON": lambda lines: [*lines, b"{}"],
    "another stage": lambda lines: [*lines[:-1], lines[-1].replace(b"baseline", b"archived")],
    "NaN": lambda lines: [*lines[:-1], lines[-1].replace(b'"seq":3', b'"seq":NaN')],
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_a_journal_is_refused_with(folder: RunFolder, edit: Edit) -> None:
    after_two_stages(folder)
    lines = edit(folder.read("runlog.jsonl").splitlines())
    (folder.path / "runlog.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    with pytest.raises(TamperError, match=r"^runlog\.jsonl, line \d"):
        opened(folder)


def test_the_journal_of_another_run_is_refused(folder: RunFolder) -> None:
    after_two_stages(folder)
    with pytest.raises(TamperError, match=r"line 1: .*of another run"):
        RunLog(folder, "20261123T081500Z-lev-01-00000000")


def chained(*steps: dict[str, Any]) -> bytes:
    text, previous = b"", sha256_hex(RUN.encode())
    for seq, step in enumerate(steps):
        values = {"time": "2026-11-23T08:15:00Z", "files": {}, "note": "", **step, "seq": seq, "previous": previous}
        line = canonical_json(values)
        previous, text = sha256_hex(line), text + line + b"\n"
    return text


def step(stage: str, status: str, *files: str) -> dict[str, Any]:
    return {"stage": stage, "status": status, "files": {name: {"sha256": "0" * 64, "size": 0} for name in files}}


FORGED = {
    "a stage finished that was not started": [step("plan", "finished")],
    "a stage failed that was not started": [step("plan", "failed")],
    "another stage finished than was started": [step("plan", "started"), step("baseline", "finished")],
    "a stage finished twice": [step("plan", "started"), step("plan", "finished")] * 2,
    "a stage finished after a later one": [
        step("baseline", "started"), step("baseline", "finished"), step("plan", "started"), step("plan", "finished"),
    ],
    "two stages claiming one file": [
        step("plan", "started"), step("plan", "finished", "x"),
        step("baseline", "started"), step("baseline", "finished", "x"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("steps", FORGED.values(), ids=FORGED.keys())
def test_a_well_chained_journal_is_refused_with(steps: list[dict[str, Any]]) -> None:
    with pytest.raises(TamperError, match=r"^runlog\.jsonl, line \d"):
        read_steps(chained(*steps), RUN)


def test_an_unfinished_last_line_is_damage_to_an_auditor() -> None:
    with pytest.raises(TamperError, match="line 2: the last line is not finished"):
        read_steps(chained(step("plan", "started")) + b"{", RUN)


# ---- sealed ---------------------------------------------------------------------------------------------


def test_the_journal_of_a_sealed_run_is_read_and_takes_nothing_more(folder: RunFolder) -> None:
    after_two_stages(folder)
    folder.seal(b"statement")
    log = opened(folder)
    assert log.finished_stages() == (Stage.PLAN, Stage.BASELINE)
    with pytest.raises(BundleError, match="sealed"):
        log.started("archive")
    log.close()


def test_sealing_while_the_journal_is_open_ends_it(folder: RunFolder) -> None:
    log = opened(folder)
    folder.seal(b"statement")
    with pytest.raises(BundleError, match="sealed"):
        log.started("plan")
    log.close()
