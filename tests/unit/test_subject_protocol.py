"""The wire, with a program at the other end that says anything but what it should."""

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prfpipe.errors import SubjectCrashError, SubjectError, SubjectHangError, SubjectProtocolError
from prfpipe.subject import protocol, runner
from prfpipe.subject.process import Block, Subject
from prfpipe.subject.protocol import Channel
from prfpipe.subject.variants import subject_launch
from tests.support.levers import spec_of, write_lever

TIMEOUT = 60.0
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@contextmanager
def wired(timeout: float = TIMEOUT) -> Iterator[tuple[Channel, int, int]]:
    """A channel and the other ends of its pipes: where its messages arrive, and where its answers come from."""
    theirs_to_read, ours_to_write = os.pipe()
    ours_to_read, theirs_to_write = os.pipe()
    channel = Channel(ours_to_read, ours_to_write, name="a subject", timeout=timeout)
    with os.fdopen(theirs_to_read, "rb"), os.fdopen(theirs_to_write, "wb"):
        try:
            yield channel, theirs_to_read, theirs_to_write
        finally:
            channel.close()


def answered(data: bytes, use: Callable[[Channel], Any], timeout: float = TIMEOUT) -> Any:
    with wired(timeout) as (channel, _, answers):
        os.write(answers, data)
        return use(channel)


# ---- the channel ----------------------------------------------------------------------------------------


@given(st.dictionaries(st.text(), JSON), st.integers(1, 40))
def test_a_message_arrives_whole_however_it_is_cut(message: dict[str, Any], size: int) -> None:
    line = json.dumps({**message, "type": "x"}).encode() + b"\n"
    with wired() as (channel, _, answers):
        writer = threading.Thread(
            target=lambda: [os.write(answers, line[at : at + size]) for at in range(0, len(line), size)]
        )
        writer.start()
        assert channel.receive("x") == {**message, "type": "x"}
        writer.join()


def test_messages_that_arrive_together_are_told_apart() -> None:
    def both(channel: Channel) -> list[Any]:
        return [channel.receive("a")["n"], channel.receive("b")["n"]]

    assert answered(b'{"type":"a","n":1}\n{"type":"b","n":2}\n', both) == [1, 2]


def test_a_message_larger_than_the_pipe_is_sent_while_it_is_read() -> None:
    message = {"type": "load", "operations": ["x" * 1_000_000]}
    with wired() as (channel, requests, _):
        sender = threading.Thread(target=channel.send, args=(message,))
        sender.start()
        found = bytearray()
        while not found.endswith(b"\n"):
            found += os.read(requests, 65536)
        sender.join()
    assert json.loads(found) == message


WRONG = {
    "garbage": (b"hello\n", "which is not JSON"),
    "bytes that are not UTF-8": (b"\xff\xfe\n", "which is not JSON"),
    "an empty line": (b"\n", "which is not JSON"),
    "NaN": (b'{"type":"timed","x":NaN}\n', "which is not JSON"),
    "infinity": (b'{"type":"timed","x":-Infinity}\n', "which is not JSON"),
    "a number of many digits": (b'{"type":"timed","x":' + b"9" * 5000 + b"}\n", "which is not JSON"),
    "nesting without end": (b"[" * 50_000 + b"\n", "which is not JSON"),
    "a list": (b"[1]\n", "which is not a JSON object"),
    "a number": (b"1\n", "which is not a JSON object"),
    "another type": (b'{"type":"ready"}\n', "a message of type 'ready' where 'timed' was expected"),
    "no type": (b"{}\n", "a message of type None where 'timed' was expected"),
}


@pytest.mark.parametrize("what", WRONG)
def test_anything_but_the_message_that_is_due_is_refused(what: str) -> None:
    data, message = WRONG[what]
    with pytest.raises(SubjectProtocolError) as caught:
        answered(data, lambda channel: channel.receive("timed"))
    assert caught.value.message.startswith("a subject sent ")
    assert message in caught.value.message
    assert len(caught.value.message) < 400


@pytest.mark.parametrize("data", [b"", b'{"type":"timed"'])
def test_the_end_of_the_pipe_before_the_end_of_a_message_is_a_crash(data: bytes) -> None:
    ours, theirs = os.pipe()
    os.write(theirs, data)
    os.close(theirs)
    unread, write_end = os.pipe()
    channel = Channel(ours, write_end, name="a subject", timeout=TIMEOUT)
    with pytest.raises(SubjectCrashError, match="went away without an answer"):
        channel.receive("timed")
    channel.close()
    os.close(unread)


@pytest.mark.parametrize("data", [b"", b'{"type":"timed"'])
def test_silence_and_half_a_message_are_a_hang(data: bytes) -> None:
    with pytest.raises(SubjectHangError, match=r"did not answer within 0\.05 s"):
        answered(data, lambda channel: channel.receive("timed"), timeout=0.05)


def test_the_time_limit_is_for_the_whole_message_not_for_each_byte() -> None:
    stop = threading.Event()
    with wired(timeout=0.3) as (channel, _, answers):

        def drip() -> None:
            while not stop.wait(0.01):
                os.write(answers, b" ")

        writer = threading.Thread(target=drip)
        writer.start()
        try:
            with pytest.raises(SubjectHangError):
                channel.receive("timed")
        finally:
            stop.set()
            writer.join()


def test_a_subject_that_does_not_read_hangs() -> None:
    with wired(timeout=0.05) as (channel, _, _answers), pytest.raises(SubjectHangError):
        channel.send({"type": "load", "operations": ["x" * 10_000_000]})


def test_a_subject_that_has_closed_its_end_is_gone() -> None:
    reads, write_end = os.pipe()
    ours, theirs = os.pipe()
    channel = Channel(ours, write_end, name="a subject", timeout=TIMEOUT)
    os.close(reads)
    with pytest.raises(SubjectCrashError, match="went away"):
        channel.send({"type": "run"})
    channel.close()
    os.close(theirs)


def test_a_message_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MAX_MESSAGE_BYTES", 1000)
    with pytest.raises(SubjectProtocolError, match="more than 1000 bytes"):
        answered(b"x" * 5000, lambda channel: channel.receive("timed"))


ERROR = {"type": "error", "stage": "operate", "error": "RangeError: no", "trace": 'a\n  File "x.py", line 3\nb'}


@pytest.mark.parametrize(
    ("changes", "message", "hint"),
    [
        ({}, "a subject failed in operate: RangeError: no", 'Last frame: File "x.py", line 3'),
        ({"trace": ""}, "a subject failed in operate: RangeError: no", "Fix the subject"),
        ({"trace": 7, "stage": None}, "a subject failed in None: RangeError: no", "Fix the subject"),
        ({"error": "ModuleNotFoundError: x"}, "ModuleNotFoundError: x", "Install what is missing"),
    ],
)
def test_an_error_message_is_raised_as_what_it_tells(changes: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(SubjectCrashError) as caught:
        answered(json.dumps(ERROR | changes).encode() + b"\n", lambda channel: channel.receive("timed"))
    assert message in caught.value.message
    assert hint in caught.value.hint


# ---- a program that answers wrongly ---------------------------------------------------------------------

SCRIPT = """\
import json, os
incoming = os.fdopen(int(os.environ["PRFPIPE_READ_FD"]), "rb")
outgoing = os.fdopen(int(os.environ["PRFPIPE_WRITE_FD"]), "wb")
answers = json.load(open("answers.json"))
for line in incoming:
    kind = json.loads(line)["type"]
    answer = answers[kind]
    if answer is None:
        break
    outgoing.write(answer.encode() + b"\\n")
    outgoing.flush()
"""
RIGHT = {
    "hello": {"type": "ready", "protocol": 1},
    "load": {"type": "loaded"},
    "run": {"type": "timed", "durations_ns": [5, 6]},
    "results": {"type": "results", "results": ["a", "b"]},
    "settle": {"type": "settled"},
    "close": {"type": "closed", "files": []},
}


def converse(tmp_path: Path, **changes: Any) -> tuple[Block, list[object]]:
    """Two operations put to a program whose answers are `RIGHT` but for the changes (text goes out as it is)."""
    answers = {kind: json.dumps(message) for kind, message in RIGHT.items()} | changes
    command = {"command": [sys.executable, "program.py"]}
    folder = write_lever(
        tmp_path / "lever",
        variants={"baseline": command, "candidate": command},
        files={"program.py": SCRIPT, "answers.json": json.dumps(answers)},
    )
    with Subject(subject_launch(spec_of(folder), "candidate", folder, tmp_path, timeout=TIMEOUT)) as subject:
        subject.hello({}, tmp_path)
        block = subject.run([1, 2])
        results = subject.results_of(block)
        subject.settle()
        assert subject.close() == ()
    return block, results


def test_a_program_that_speaks_the_protocol_is_a_subject(tmp_path: Path) -> None:
    block, results = converse(tmp_path)
    assert (block.samples_ns, results) == ((5, 6), ["a", "b"])


@pytest.mark.parametrize(
    "durations",
    ["[5]", "[5, 6, 7]", "[]", "[5, -1]", "[5, 6.0]", "[5, true]", '["5", 6]', "null", '{"0": 5, "1": 6}', "56"],
)
def test_durations_must_be_one_whole_number_a_sample_and_not_negative(tmp_path: Path, durations: str) -> None:
    with pytest.raises(SubjectProtocolError, match="durations_ns that are not 2 integers of nanoseconds"):
        converse(tmp_path, run=f'{{"type": "timed", "durations_ns": {durations}}}')


@pytest.mark.parametrize("results", ['["a"]', '["a", "b", "c"]', "[]", "null", '{"0": "a", "1": "b"}', '"ab"'])
def test_there_must_be_one_result_for_each_operation(tmp_path: Path, results: str) -> None:
    with pytest.raises(SubjectProtocolError, match="no list of 2 results"):
        converse(tmp_path, results=f'{{"type": "results", "results": {results}}}')


@pytest.mark.parametrize("version", ["2", "null", '"1"'])
def test_another_version_of_the_protocol_is_refused(tmp_path: Path, version: str) -> None:
    with pytest.raises(SubjectProtocolError, match="speaks protocol"):
        converse(tmp_path, hello=f'{{"type": "ready", "protocol": {version}}}')


@pytest.mark.parametrize("kind", RIGHT)
def test_a_program_that_leaves_at_any_point_is_a_clear_error(tmp_path: Path, kind: str) -> None:
    with pytest.raises(SubjectCrashError, match="LEV-TEST candidate went away"):
        converse(tmp_path, **{kind: None})


@pytest.mark.parametrize("kind", RIGHT)
def test_garbage_at_any_point_is_a_clear_error(tmp_path: Path, kind: str) -> None:
    with pytest.raises(SubjectProtocolError, match="LEV-TEST candidate sent b'garbage'"):
        converse(tmp_path, **{kind: "garbage"})


@pytest.mark.parametrize("kind", RIGHT)
def test_an_error_at_any_point_is_passed_on(tmp_path: Path, kind: str) -> None:
    with pytest.raises(SubjectCrashError, match="failed in operate: RangeError: no"):
        converse(tmp_path, **{kind: json.dumps(ERROR)})


def test_an_answer_before_it_was_asked_for_is_refused(tmp_path: Path) -> None:
    """Somebody who answers ahead of time could look faster than he is."""
    ahead = "\n".join(json.dumps(RIGHT[kind]) for kind in ("load", "run"))
    with pytest.raises(SubjectError):
        converse(tmp_path, load=ahead)


# ---- the runner's side ----------------------------------------------------------------------------------


class Cut:
    """A file that counts its flushes."""

    def __init__(self) -> None:
        self.lines: list[Any] = []

    def write(self, data: bytes) -> int:
        self.lines.append(json.loads(data))
        return len(data)

    def flush(self) -> None:
        pass


def test_both_sides_speak_the_same_version_over_the_same_variables() -> None:
    source = Path(runner.__file__).read_text()
    assert runner.PROTOCOL == protocol.PROTOCOL
    assert protocol.READ_FD_VARIABLE in source
    assert protocol.WRITE_FD_VARIABLE in source


def test_the_runner_groups_operations_and_times_each_group() -> None:
    durations, results = runner.timed_block(lambda operation: operation * 2, [[1, 2], [3]])
    assert results == [2, 4, 6]
    assert len(durations) == 2
    assert all(type(duration) is int and duration >= 0 for duration in durations)


def test_the_runner_ends_with_the_pipe(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("")
    outgoing = Cut()
    runner.serve(runner.WorkloadServer("x.py", str(tmp_path)), [b'{"type": "close"}', b"never read"], outgoing)  # type: ignore[arg-type]
    assert outgoing.lines == [{"type": "closed", "files": []}]
