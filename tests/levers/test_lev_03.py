"""LEV-03: whatever a guest does with its memory, a host call ends in an answer or an exception, never in a crash."""

import itertools
import json
import signal
import struct
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.lever_modules import LEVERS, load_modules

FOLDER = LEVERS / "lev_03_zero_copy"
MEMORY = 4 << 20
HEADER = 24
VARIANTS = ["baseline", "candidate"]


lever = load_modules(FOLDER)
send, script = lever.edge_cases.send, lever.edge_cases.script


def answers(subject: Any, *steps: Any) -> list[Any]:
    """What the calls of one script gave."""
    return [outcome for name, outcome in subject.operate(script(*steps))["guest"] if name == "call"]


def payload(at: int, data: bytes) -> list[Any]:
    return ["poke", at + HEADER, list(data)]


@pytest.fixture(scope="module", params=VARIANTS)
def subject(request: pytest.FixtureRequest) -> Iterator[Any]:
    made = getattr(lever, request.param).Subject({}, Path())
    yield made
    made.close()


@pytest.fixture
def candidate() -> Iterator[Any]:
    made = lever.candidate.Subject({}, Path())
    yield made
    made.close()


@pytest.fixture(scope="module")
def pair() -> Iterator[list[Any]]:
    pair = [getattr(lever, name).Subject({}, Path()) for name in VARIANTS]
    yield pair
    for made in pair:
        made.close()


# ---- hazards, each in a process that may die -------------------------------------------------------------


def hazard(bridge: str, name: str) -> tuple[int, list[Any]]:
    argv = [sys.executable, "hazards.py", bridge, name]
    ran = subprocess.run(argv, cwd=FOLDER, capture_output=True, text=True, check=False, timeout=600)
    return ran.returncode, [json.loads(line) for line in ran.stdout.splitlines()]


@pytest.mark.parametrize("name", sorted(lever.hazards.NAIVE))
def test_a_view_of_the_engines_memory_crashes_or_reads_garbage(name: str) -> None:
    code, (before, *after) = hazard("naive", name)
    assert before == [7, 7]
    assert code in {-signal.SIGSEGV, -signal.SIGBUS, -signal.SIGABRT} or after != [[7, 7]]


@pytest.mark.parametrize("name", sorted(lever.hazards.LEASED))
def test_in_the_same_place_the_leased_bridge_refuses(name: str) -> None:
    code, (_, after) = hazard("leased", name)
    assert code == 0
    [refusal] = after
    assert refusal.startswith("refused: ")


CHILD = """
    import sys
    from pathlib import Path
    import baseline, candidate
    subject = {"baseline": baseline, "candidate": candidate}[sys.argv[1]].Subject({}, Path())
    mix = [["route", 64], ["crc32", 4096], ["log", 300], ["read", 5000]]
    for seed in range(1, 60, 2):
        subject.operate({"seed": seed, "calls": 300, "mix": mix, "tableBytes": 2 << 20})
    if sys.argv[2] == "closed":
        subject.close()
    sys.stdout.write("done")
"""


def child(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    return subprocess.run(argv, cwd=FOLDER, capture_output=True, text=True, check=False, timeout=600)


@pytest.mark.parametrize("ending", ["closed", "just ended"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_process_with_a_guest_ends_in_good_order(variant: str, ending: str) -> None:
    ran = child(CHILD, variant, ending)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "done", "")


# ---- leases ----------------------------------------------------------------------------------------------


def test_a_released_payload_is_an_exception_for_the_host_function(candidate: Any) -> None:
    kept: list[memoryview] = []

    def keep(call: Any, data: memoryview) -> int:
        kept.append(data)
        return data[0]

    candidate._lend(keep, None, 24, 32)
    for use in (lambda view: view[0], len, bytes, memoryview, zlib.crc32, lambda view: view[1:]):
        with pytest.raises(ValueError, match="released"):
            use(kept[-1])


@pytest.mark.parametrize(
    "cut",
    [
        lambda view: view[1:3],
        lambda view: view[::2],
        lambda view: view.cast("H"),
        lambda view: view.toreadonly(),
        memoryview,
        lambda view: iter(view[1:]),
        lambda view: memoryview(view[2:])[1:],
    ],
)
def test_a_host_function_that_keeps_a_part_of_its_payload_is_found_at_once(cut: Any, candidate: Any) -> None:
    kept: list[Any] = []
    with pytest.raises(BufferError):
        candidate._lend(lambda call, data: kept.append(cut(data)), None, 24, 32)


def test_the_guest_is_told_of_a_part_that_was_kept_and_can_go_on(candidate: Any) -> None:
    found = answers(candidate, send(0, "hoard", 8), send(64, "crc32", 8))
    assert found[0] == "refused: a host function kept a part of the payload"
    assert isinstance(found[1], int)


def test_a_host_function_that_keeps_a_part_and_fails_is_found_too(candidate: Any) -> None:
    kept: list[memoryview] = []

    def hoard_and_fail(call: Any, data: memoryview) -> int:
        kept.append(data[1:2])
        raise KeyError("x")

    with pytest.raises(BufferError):
        candidate._lend(hoard_and_fail, None, 24, 32)


def test_what_a_host_function_has_cut_off_for_itself_is_no_reason_to_hide_why_it_failed(candidate: Any) -> None:
    def inner(part: memoryview) -> int:
        own = part[:1]
        raise KeyError(own[0])

    def fail(call: Any, data: memoryview) -> int:
        part = data[1:3]
        return inner(part)

    with pytest.raises(KeyError):
        candidate._lend(fail, None, 24, 32)


def test_a_part_that_was_kept_shows_later_bytes_and_nothing_can_free_them(candidate: Any) -> None:
    kept: list[memoryview] = []
    with pytest.raises(BufferError):
        candidate._lend(lambda call, data: kept.append(data[1:3]), None, 24, 32)
    candidate.operate(script(["poke", 25, [201, 202]], ["transfer"], ["collect"], ["churn", 2000], ["collect"]))
    assert bytes(kept[0]) == bytes([201, 202])


def test_payloads_are_read_only(candidate: Any) -> None:
    def write(call: Any, data: memoryview) -> int:
        data[0] = 1
        return 0

    with pytest.raises(TypeError, match="read-only"):
        candidate._lend(write, None, 24, 32)


@pytest.mark.parametrize("error", [KeyError("x"), KeyboardInterrupt()])
def test_a_lease_ends_with_an_exception_of_the_host_function(error: BaseException, candidate: Any) -> None:
    kept: list[memoryview] = []

    def fail(call: Any, data: memoryview) -> int:
        kept.append(data)
        raise error

    with pytest.raises(type(error)):
        candidate._lend(fail, None, 24, 32)
    with pytest.raises(ValueError, match="released"):
        len(kept[0])


# ---- round trips -----------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=600), st.integers(0, 4000))
def test_each_byte_of_a_payload_arrives(subject: Any, data: bytes, place: int) -> None:
    steps = [payload(8 * place, data), ["header", 8 * place, "crc32", len(data)]]
    assert answers(subject, *steps, ["call", 8 * place, HEADER + len(data)]) == [zlib.crc32(data)]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 255), st.integers(0, 200), st.integers(64, 5000), st.integers(0, 220))
def test_each_byte_of_a_reply_arrives_in_its_room(subject: Any, start: int, size: int, at: int, room: int) -> None:
    size = min(size, 256 - start)
    steps = [["poke", at - 8, [251] * (size + 16)], ["header", 0, "read", 8, at, room]]
    request = payload(0, struct.pack("<II", start, size))
    found = subject.operate(script(*steps, request, ["call", 0, 32], ["bytes", at - 8, size + 16]))["guest"]
    expected = list(range(start, start + size)) if size <= room else [251] * size
    assert found[0][1] == (size if size <= room else "refused: the reply does not fit into its room")
    assert found[1][1] == [251] * 8 + expected + [251] * 8


NUMBERS = st.one_of(
    st.integers(-(2**54), 2**54),
    st.integers(-100, 200),
    st.integers(MEMORY - 100, MEMORY + 100),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["NaN", "Infinity", "-Infinity", "-0", "'64'", "64n", "null", "undefined", "true", "[64]", "{}"]),
)


@settings(max_examples=150, deadline=None)
@given(NUMBERS, NUMBERS)
def test_no_two_numbers_name_a_place_for_one_variant_only(pair: list[Any], offset: Any, length: Any) -> None:
    found = [answers(subject, send(64, "crc32", 40), ["call", offset, length]) for subject in pair]
    assert found[0] == found[1]


@given(st.floats(), st.floats())
def test_a_place_is_aligned_inside_and_long_enough_or_refused(offset: float, length: float) -> None:
    try:
        start, stop = lever.candidate.place(offset, length)
    except lever.host.Refused:
        good = offset.is_integer() and length.is_integer() and length >= HEADER
        assert not (good and offset >= 0 and offset % 8 == 0 and offset + length <= MEMORY)
    else:
        assert (start, stop - start) == (offset, length)
        assert 0 <= start < start + HEADER <= stop <= MEMORY
        assert start % 8 == 0


@settings(max_examples=30, deadline=None)
@given(st.binary(min_size=HEADER, max_size=HEADER))
def test_random_headers_are_refused_alike(pair: list[Any], header: bytes) -> None:
    found = [answers(subject, ["poke", 0, list(header)], ["call", 0, 64]) for subject in pair]
    assert found[0] == found[1]
    assert found[0][0].startswith("refused: ")


# ---- engine, workload, coverage --------------------------------------------------------------------------


def test_a_missing_engine_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lever.engine, "EXTENSION", "pythonmonkey.not_loaded")
    monkeypatch.setattr(lever.engine.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(lever.engine.EngineMissingError, match=r"pip install --no-deps pythonmonkey==1\.4\.1"):
        lever.engine.load()


def test_a_stream_repeats_with_its_seed_and_never_repeats_an_input() -> None:
    params = {"calls": 3, "mix": [["route", 64]]}
    streams = [lever.workload.operations(params, seed) for seed in (3, 3, 4)]
    first, again, other = (list(itertools.islice(stream, 500)) for stream in streams)
    assert first == again != other
    assert len({operation["seed"] for operation in first}) == 500


class Stale(lever.candidate.Subject):
    """Host functions see the payloads of an earlier time."""

    def _lend(self, function: Any, call: Any, start: int, stop: int) -> Any:
        return function(call, self.frozen[start:stop])


@pytest.mark.parametrize("mix", [[["route", 4096]], [["route", 64]], [["crc32", 4096]], [["log", 4096]]])
def test_a_timed_batch_shows_whether_the_host_saw_the_bytes_of_the_moment(mix: list[Any]) -> None:
    batch = {"seed": 11, "calls": 5, "mix": mix, "tableBytes": 2 << 20}
    subjects = [lever.baseline.Subject({}, Path()), lever.candidate.Subject({}, Path()), Stale({}, Path())]
    subjects[2].frozen = memoryview(bytes(subjects[2]._readable))
    honest, other, stale = (lever.workload.canonical(subject.operate(batch)) for subject in subjects)
    assert honest == other != stale
