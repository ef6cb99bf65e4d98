"""Sample sets: durable line by line, fixed once finished, read strictly."""

import gzip
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prfpipe import layout
from prfpipe.bundle import RunFolder
from prfpipe.digests import canonical_json
from prfpipe.doctrine import Stage
from prfpipe.errors import BundleError, TamperError
from prfpipe.models import SampleSet
from prfpipe.samples import SampleWriter, keep_interrupted, read_samples
from tests.support import bundles

NAME = layout.SAMPLES[Stage.BASELINE]
PARTIAL = NAME + layout.PARTIAL_SUFFIX
PLAN = bundles.plan()
SCHEDULES = bundles.schedules(PLAN)
MEASURED = tuple(bundles.invocations(PLAN, Stage.BASELINE))
SET = SampleSet(schedules=SCHEDULES, invocations=MEASURED)
END, INDEX = 1 + len(SCHEDULES) + len(MEASURED), MEASURED[-1].index
"""The number of the last line, and the index of the invocation in it."""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[RunFolder]:
    with RunFolder.create(tmp_path, bundles.RUN_ID) as run:
        yield run


def record(folder: RunFolder) -> bytes:
    with SampleWriter(folder, "baseline") as writer:
        for item in (*SCHEDULES, *MEASURED):
            writer.append(item)
        return writer.finish().read_bytes()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    with RunFolder.create(tmp_path_factory.mktemp("run"), bundles.RUN_ID) as run:
        return record(run)


def lines_of(data: bytes) -> list[bytes]:
    return gzip.decompress(data).splitlines()


def packed(lines: list[bytes]) -> bytes:
    return gzip.compress(b"".join(line + b"\n" for line in lines), mtime=0)


def test_what_was_recorded_is_read_back(finished: bytes) -> None:
    assert read_samples(finished, NAME, "baseline") == SET


def test_the_same_samples_give_the_same_bytes(finished: bytes, folder: RunFolder) -> None:
    assert record(folder) == finished
    assert finished[4:8] == b"\0\0\0\0"  # the time stamp of the gzip header


def test_the_first_line_says_what_the_file_is(finished: bytes) -> None:
    assert json.loads(lines_of(finished)[0]) == {
        "kind": "samples", "format": "prfpipe/samples/v1", "stage": "baseline", "interrupted": "",
    }  # fmt: skip


def test_each_record_is_on_the_disk_before_the_next_is_measured(folder: RunFolder) -> None:
    with SampleWriter(folder, "baseline") as writer:
        for count, item in enumerate((*SCHEDULES, *MEASURED), 2):
            writer.append(item)
            assert len(folder.read(PARTIAL).splitlines()) == count


def test_a_finished_set_leaves_no_partial_file_and_is_not_written_again(folder: RunFolder) -> None:
    record(folder)
    assert set(folder.files()) == {NAME}
    with pytest.raises(BundleError, match="finished already"):
        SampleWriter(folder, "baseline")


def test_records_out_of_order_are_not_finished_and_not_lost(folder: RunFolder) -> None:
    with SampleWriter(folder, "baseline") as writer:
        writer.append(MEASURED[0])
        with pytest.raises(TamperError, match="before its schedule"):
            writer.finish()
    assert set(folder.files()) == {PARTIAL}


# ---- interrupted ----------------------------------------------------------------------------------------


def interrupted(folder: RunFolder, torn: bytes) -> None:
    with SampleWriter(folder, "baseline") as writer:
        writer.append(SCHEDULES[0])
        writer.append(MEASURED[0])
    with (folder.path / PARTIAL).open("ab") as stream:
        stream.write(torn)


def kept(number: int) -> str:
    return f"art-01-baseline/samples-interrupted-{number}.jsonl.gz"


@pytest.mark.parametrize("torn", [b"", b'{"kind":"invo'])
def test_an_interrupted_set_is_kept_with_every_whole_line(folder: RunFolder, torn: bytes) -> None:
    interrupted(folder, torn)
    finished = record(folder)
    assert set(folder.files()) == {NAME, kept(1)}
    header, *lines = lines_of(folder.read(kept(1)))
    assert lines == [canonical_json(item.model_dump(mode="json")) for item in (SCHEDULES[0], MEASURED[0])]
    assert (f"{len(torn)} bytes" in json.loads(header)["interrupted"]) == bool(torn)
    assert read_samples(finished, NAME) == SET


def test_every_interrupted_set_gets_its_own_number(folder: RunFolder) -> None:
    for _ in range(3):
        interrupted(folder, b"")
    record(folder)
    assert set(folder.files()) == {NAME, kept(1), kept(2), kept(3)}


def test_an_interrupted_set_never_counts(folder: RunFolder) -> None:
    interrupted(folder, b"")
    assert keep_interrupted(folder, Stage.BASELINE) == kept(1)
    with pytest.raises(TamperError, match="does not count"):
        read_samples(folder.read(kept(1)), kept(1))


@pytest.mark.parametrize("text", [b"", b'{"kind":"samp'])
def test_a_set_interrupted_in_its_first_line_is_kept_as_an_empty_one(folder: RunFolder, text: bytes) -> None:
    folder.write(PARTIAL, text)
    record(folder)
    assert len(lines_of(folder.read(kept(1)))) == 1


def test_with_nothing_interrupted_there_is_nothing_to_keep(folder: RunFolder) -> None:
    assert keep_interrupted(folder, Stage.BASELINE) is None


# ---- damaged and forged ---------------------------------------------------------------------------------

Edit = Callable[[list[bytes]], list[bytes]]


def on_line(number: int, edit: Callable[[dict[str, Any]], object]) -> Edit:
    def apply(lines: list[bytes]) -> list[bytes]:
        value = json.loads(lines[number - 1])
        edit(value)
        return [*lines[: number - 1], canonical_json(value), *lines[number:]]

    return apply


def longer(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda value: value["arms"]["control"][name].append(1)


# Lines: 1 header, 2-3 schedules, 4-6 invocations of the first scenario, 7-9 of the second.
EDITS: dict[str, tuple[Edit, str]] = {
    "dropped in the middle": (lambda lines: lines[:4] + lines[5:], "line 5: .*invocation 2 where 1 belongs"),
    "the first dropped": (lambda lines: lines[:3] + lines[4:], "line 4: .*invocation 1 where 0 belongs"),
    "reordered": (lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]], "line 4"),
    "repeated": (lambda lines: [*lines, lines[-1]], f"line {END + 1}: .*invocation {INDEX} where {INDEX + 1} belongs"),
    "repeated under a new index": (
        lambda lines: [*lines, lines[-1].replace(b'"index":%d' % INDEX, b'"index":%d' % (INDEX + 1))],
        f"line {END + 1}: .*ends before the one",
    ),
    "no header": (lambda lines: lines[1:], "line 1: the header is missing"),
    "two headers": (lambda lines: [lines[0], *lines], "line 2: a second header"),
    "nothing": (lambda lines: [], "line 1: the header is missing"),
    "a schedule missing": (lambda lines: [*lines[:1], *lines[2:]], "before its schedule"),
    "a second schedule": (lambda lines: [*lines, lines[1]], f"line {END + 1}: a second schedule"),
    "a sample too many": (on_line(5, longer("samples_ns")), "line 5: .*not what the schedule says"),
    "a block too many": (on_line(5, longer("wall_ns")), "line 5: .*not what the schedule says"),
    "an arm that was not run": (on_line(5, lambda value: value["order"].pop()), "line 5: .*does not name its arms"),
    "an arm run twice": (
        on_line(5, lambda value: value["order"].append("control")), "line 5: .*does not name its arms",
    ),
    "an arm unknown": (on_line(5, lambda value: value["order"].append("other")), "line 5"),
    "no arms": (on_line(5, lambda value: value.update(arms={}, order=[])), "line 5"),
    "a negative index": (on_line(4, lambda value: value.update(index=-1)), "line 4"),
    "a float": (on_line(4, lambda value: value.update(elapsed_ns=1.5)), "line 4"),
    "a number as text": (on_line(4, lambda value: value.update(elapsed_ns="1")), "line 4"),
    "a bool": (on_line(4, lambda value: value.update(elapsed_ns=True)), "line 4"),
    "an unknown key": (on_line(4, lambda value: value.update(more=1)), "line 4"),
    "an unknown kind": (on_line(4, lambda value: value.update(kind="other")), "line 4"),
    "an unknown format": (on_line(1, lambda value: value.update(format="prfpipe/samples/v2")), "line 1"),
    "another stage": (on_line(1, lambda value: value.update(stage="reprofile")), "stage reprofile, not baseline"),
    "a stage that has no samples": (on_line(1, lambda value: value.update(stage="other")), "line 1"),
    "spaces": (lambda lines: [*lines[:-1], lines[-1].replace(b":", b": ", 1)], f"line {END}: not in canonical form"),
    "a key twice": (
        lambda lines: [*lines[:-1], b'{"arms":{},' + lines[-1][1:]], f"line {END}: not in canonical form",
    ),
    "keys in another order": (
        lambda lines: [*lines[:1], json.dumps(dict(reversed(json.loads(lines[1]).items()))).encode(), *lines[2:]],
        "line 2: not in canonical form",
    ),
    "another spelling of a number": (
        lambda lines: [*lines[:1], lines[1].replace(b'"group":1', b'"group":1e0'), *lines[2:]], "line 2",
    ),
    "an empty line": (lambda lines: [*lines[:3], b"", *lines[3:]], "line 4"),
    "bad UTF-8": (lambda lines: [*lines[:-1], lines[-1].replace(b"tenth", b"\xff\xfe\xfd")], f"line {END}"),
    "no JSON": (lambda lines: [*lines[:-1], b"{"], f"line {END}"),
}  # fmt: skip


@pytest.mark.parametrize(("edit", "message"), EDITS.values(), ids=EDITS.keys())
def test_a_sample_set_is_refused_with(finished: bytes, edit: Edit, message: str) -> None:
    with pytest.raises(TamperError, match=message):
        read_samples(packed(edit(lines_of(finished))), NAME, "baseline")


def test_an_excluded_invocation_stays_and_may_be_incomplete(finished: bytes) -> None:
    edit = on_line(5, lambda value: value.update(excluded="the subject crashed", arms={}))
    found = read_samples(packed(edit(lines_of(finished))), NAME)
    assert [item.excluded for item in found.invocations] == [None, "the subject crashed", *[None] * (len(MEASURED) - 2)]


BYTES: dict[str, Callable[[bytes], bytes]] = {
    "cut off": lambda data: data[:-1],
    "followed by something": lambda data: data + b"\0",
    "followed by a second member": lambda data: data + gzip.compress(b"more\n", mtime=0),
    "not compressed": gzip.decompress,
    "empty": lambda data: b"",
    "wrong checksum": lambda data: data[:-8] + bytes([data[-8] ^ 1]) + data[-7:],
    "a torn last line": lambda data: gzip.compress(gzip.decompress(data)[:-5]),
}


@pytest.mark.parametrize("change", BYTES.values(), ids=BYTES.keys())
def test_a_file_is_refused_when(finished: bytes, change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(TamperError, match=r"^art-01-baseline/samples\.jsonl\.gz"):
        read_samples(change(finished), NAME)


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prfpipe.samples.MAX_SAMPLE_BYTES", 10_000)
    with pytest.raises(TamperError, match="more than 10000 bytes"):
        read_samples(gzip.compress(b"\0" * 10_000_000), NAME)


@given(st.randoms(use_true_random=False))
def test_no_single_changed_byte_is_taken_for_the_same_samples(rng: random.Random) -> None:
    text = bytearray(b"".join(canonical_json(item.model_dump(mode="json")) + b"\n" for item in (*SCHEDULES, *MEASURED)))
    header = canonical_json({"kind": "samples", "format": "prfpipe/samples/v1", "stage": "baseline", "interrupted": ""})
    place = rng.randrange(len(text))
    text[place] ^= 1 << rng.randrange(8)
    try:
        found = read_samples(gzip.compress(header + b"\n" + bytes(text)), NAME)
    except TamperError:
        return
    assert found != SET
