"""Turns of several clients: computed while the disk takes the one before; nothing gets out before its record."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path
from typing import Any

import pytest

from gates.runtime import background, publisher, tail
from gates.runtime.core import Turn
from gates.runtime.errors import AuditError, DeniedError
from tests.support.runtimes import POLICIES, RAN, ROOT, SUSPENDED, TRACE, Start, killed, recorded

CLIENTS = ("redact_1", "tally_1")


def turns(count: int) -> list[Turn]:
    """Turns of one operation, of two clients one after the other."""
    return [(CLIENTS[number % 2], [TRACE]) for number in range(count)]


def told(state: Path) -> list[str]:
    """Who is on record."""
    return [record["by"] for record in recorded(state)]


@dataclass
class Disk:
    """What a test does when a flush has begun, when the log is told how it went, and when that was well."""

    begun: Callable[[], object] = lambda: None
    ending: Callable[[], object] = lambda: None
    ended: Callable[[], object] = lambda: None


@pytest.fixture(params=[background.KernelWriter, background.ThreadWriter], ids=["kernel", "thread"])
def disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Flushes by one writer and by the other, and those that are waited for."""
    hooks, write, begin, wait = Disk(), tail.write, background.KernelWriter.begin, background.KernelWriter.wait

    def written(descriptor: int, buffer: mmap, at: int, size: int | None = None) -> None:
        if size is None:  # room that is written ahead
            write(descriptor, buffer, at)
            return
        hooks.begun()
        hooks.ending()
        write(descriptor, buffer, at, size)
        hooks.ended()

    def begun(writer: background.KernelWriter, *arguments: Any) -> None:
        begin(writer, *arguments)
        hooks.begun()

    def waited(writer: background.KernelWriter) -> None:
        hooks.ending()
        wait(writer)
        hooks.ended()

    monkeypatch.setattr(tail, "write", written)
    monkeypatch.setattr(background.KernelWriter, "begin", begun)
    monkeypatch.setattr(background.KernelWriter, "wait", waited)
    monkeypatch.setattr(background, "writer", request.param)
    return hooks


@pytest.fixture
def broken_disk(disk: Disk) -> threading.Event:
    """While it is set, no flush reaches the disk."""
    broken = threading.Event()

    def refused() -> None:
        if broken.is_set():
            raise OSError(errno.EIO, "Input/output error")

    disk.ending = refused
    return broken


@pytest.mark.parametrize("count", [0, 1, 2, 5])
@pytest.mark.parametrize("on", [(), ("audit",)])
def test_turns_one_behind_the_other_give_what_each_gives_alone(start: Start, count: int, on: tuple[str, ...]) -> None:
    alone = start(instruments=())
    expected = [alone.perform_all("scheduler", operations, by) for by, operations in turns(count)]
    runtime = start(instruments=on)
    assert list(runtime.perform_each("scheduler", turns(count))) == expected


def test_a_turn_is_released_only_when_its_record_has_reached_the_disk(state: Path, start: Start, disk: Disk) -> None:
    durable = [0]

    def count() -> None:
        durable[0] = len(recorded(state))

    disk.ended = count
    for number, _ in enumerate(start().perform_each("scheduler", turns(6)), start=1):
        assert durable[0] >= number
    assert durable[0] == 6


def test_a_turn_is_computed_while_the_record_of_the_one_before_is_on_its_way(
    start: Start, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime, flushing, computed = start(), threading.Event(), threading.Event()
    path = runtime._path("scheduler")
    perform, waited = path.perform, []

    def performed(*arguments: Any) -> Any:
        found = perform(*arguments)
        if flushing.is_set():
            computed.set()
        return found

    def ending() -> None:
        if not waited:
            waited.append(computed.wait(timeout=30))

    disk.begun, disk.ending = flushing.set, ending
    monkeypatch.setattr(path, "perform", performed)
    asked = _after(flushing, turns(2))
    assert list(runtime.perform_each("scheduler", asked)) != []
    assert waited == [True]


def _after(flushing: threading.Event, wanted: list[Turn]) -> Iterator[Turn]:
    """The second turn begins when the flush of the first has begun."""
    yield wanted[0]
    assert flushing.wait(timeout=30)
    yield wanted[1]


def test_two_clients_that_wait_for_their_results_can_share_the_runtime(start: Start) -> None:
    released: list[Any] = []

    def asked() -> Iterator[Turn]:
        for number, turn in enumerate(turns(6)):
            assert len(released) >= number - 1
            yield turn

    for found in start().perform_each("scheduler", asked()):
        released += [found]


def test_a_flush_that_fails_releases_neither_its_turn_nor_any_later_one(
    start: Start, broken_disk: threading.Event
) -> None:
    runtime, released = start(), []

    def asked() -> Iterator[Turn]:
        for number, turn in enumerate(turns(5)):
            if number == 2:
                broken_disk.set()
            yield turn

    with pytest.raises(AuditError, match="Input/output error"):
        released.extend(runtime.perform_each("scheduler", asked()))
    broken_disk.clear()
    with pytest.raises(AuditError, match="nothing is released any more"):
        runtime.perform("scheduler", TRACE)
    with pytest.raises(AuditError, match="nothing is released any more"):
        list(runtime.perform_each("scheduler", turns(1)))


def test_a_failure_that_somebody_else_heard_of_still_holds_back_the_turn(
    start: Start, broken_disk: threading.Event
) -> None:
    runtime = start()
    log = runtime.guard.audit
    assert log is not None

    def asked() -> Iterator[Turn]:
        broken_disk.set()
        yield turns(1)[0]
        with pytest.raises(AuditError):
            log.settle()
        broken_disk.clear()

    with pytest.raises(AuditError, match="nothing is released any more"):
        list(runtime.perform_each("scheduler", asked()))


def test_a_refused_turn_is_on_record_and_those_before_it_are_released(state: Path, start: Start) -> None:
    released = []
    with pytest.raises(DeniedError, match="stranger"):  # noqa: PT012 (what came before the refusal counts as well)
        for found in start().perform_each("scheduler", [*turns(2), ("stranger", [TRACE]), *turns(1)]):
            released += [found]
    assert len(released) == 2
    assert released[0] == [RAN]
    assert [record["event"] for record in recorded(state)] == ["scheduled", "scheduled", "refused"]


def test_a_policy_that_is_revoked_between_turns_counts_for_the_next(state: Path, start: Start) -> None:
    runtime, released = start(), []
    publisher.publish(state, POLICIES + SUSPENDED, epoch=2)

    def asked() -> Iterator[Turn]:
        yield "redact_1", [TRACE]
        runtime.renew()
        yield "redact_1", [TRACE]

    with pytest.raises(DeniedError, match="policy epoch 2"):  # noqa: PT012
        for found in runtime.perform_each("scheduler", asked()):
            released += [found]
    assert released == [[RAN]]


def test_who_stops_asking_leaves_a_log_that_goes_on(state: Path, start: Start) -> None:
    runtime = start()
    released = runtime.perform_each("scheduler", turns(5))
    next(released)
    released.close()
    runtime.perform("scheduler", TRACE, "host")
    runtime.close()
    start()
    assert told(state) == ["redact_1", "tally_1", "host"]


def test_an_end_in_good_order_waits_for_what_is_on_its_way(state: Path, start: Start) -> None:
    runtime = start()
    with runtime.guard.turn(wait=False):
        runtime.perform("scheduler", TRACE)
    runtime.close()
    assert told(state) == ["host"]
    assert (state / "audit.log").stat().st_size < tail.FIRST_ROOM_BYTES


@pytest.fixture
def little_room(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Room for a few records at a time; where more of it began."""
    made: list[int] = []
    fallocate = os.posix_fallocate

    def counted(descriptor: int, at: int, size: int) -> None:
        made.append(at)
        fallocate(descriptor, at, size)

    monkeypatch.setattr(os, "posix_fallocate", counted)
    monkeypatch.setattr(tail, "FIRST_ROOM_BYTES", tail.BLOCK)
    monkeypatch.setattr(tail, "ROOM_BYTES", 2 * tail.BLOCK)
    return made


@pytest.mark.parametrize("writer", [background.KernelWriter, background.ThreadWriter])
@pytest.mark.parametrize("ends", [lambda runtime: runtime.close(), killed], ids=["closed", "killed"])
def test_room_is_made_while_turns_are_computed_and_takes_no_record(
    state: Path, start: Start, monkeypatch: pytest.MonkeyPatch, little_room: list[int], writer: Any, ends: Any
) -> None:
    monkeypatch.setattr(background, "writer", writer)
    runtime = start()
    list(runtime.perform_each("scheduler", turns(100)))
    assert runtime.guard.audit is not None
    end = runtime.guard.audit.head.bytes
    assert len(little_room) >= 3
    assert little_room[-1] > end - 2 * tail.BLOCK
    ends(runtime)
    start()
    assert told(state) == list(CLIENTS) * 50
    assert (state / "audit.log").stat().st_size == end


def test_where_a_file_cannot_be_made_longer_beforehand_the_write_does_it(
    state: Path, start: Start, monkeypatch: pytest.MonkeyPatch, little_room: list[int]
) -> None:
    def refused(descriptor: int, at: int, size: int) -> None:
        little_room.append(at)
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "posix_fallocate", refused)
    runtime = start()
    list(runtime.perform_each("scheduler", turns(100)))
    assert len(little_room) >= 3
    killed(runtime)
    start()
    assert told(state) == list(CLIENTS) * 50


def test_a_disk_without_room_for_more_ends_a_busy_runtime_and_loses_no_record(
    state: Path, start: Start, monkeypatch: pytest.MonkeyPatch, little_room: list[int]
) -> None:
    def full(descriptor: int, at: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    runtime = start()
    found = runtime.perform_each("scheduler", turns(100))
    released = [next(found) for _ in range(5)]
    with monkeypatch.context() as patched:
        patched.setattr(os, "posix_fallocate", full)
        with pytest.raises(AuditError, match="No space left"):
            released.extend(found)
    with pytest.raises(AuditError, match="nothing is released any more"):
        runtime.perform("scheduler", TRACE)
    killed(runtime)
    start()
    assert 5 <= len(released) <= len(told(state)) <= len(released) + 2


def test_an_end_tells_of_a_flush_that_failed(start: Start, broken_disk: threading.Event) -> None:
    runtime = start()
    broken_disk.set()
    with runtime.guard.turn(wait=False):
        runtime.perform("scheduler", TRACE)
    with pytest.raises(AuditError, match="Input/output error"):
        runtime.close()
    runtime.close()


KILLED_IN = {
    "thread": "background.writer = background.ThreadWriter; tail.write = killed_in(tail.write)",
    "kernel, before the disk has it": "kernel.begin = killed_in(kernel.begin)",
    "kernel, before its answer": "kernel.wait = killed_in(kernel.wait)",
}


@pytest.mark.parametrize("turn", [1, 2, 3])
@pytest.mark.parametrize("place", KILLED_IN)
def test_a_runtime_killed_between_computing_and_flush_has_released_nothing_that_is_not_on_disk(
    state: Path, start: Start, turn: int, place: str
) -> None:
    """It is killed in the flush of one of its turns: what it printed before is on disk, that turn was not printed."""
    script = f"""
        import os, signal, sys
        from pathlib import Path
        sys.path.insert(0, {str(ROOT)!r})
        from gates.runtime import background, tail
        from gates.runtime.core import Runtime
        state, flushes, kernel = Path({str(state)!r}), [], background.KernelWriter

        def killed_in(step):
            def stepped(*arguments):
                if len(arguments) != 3:  # not room that is written ahead
                    flushes.append(step)
                if len(flushes) == {turn}:
                    os.kill(os.getpid(), signal.SIGKILL)
                step(*arguments)
            return stepped

        {KILLED_IN[place]}
        runtime = Runtime.start(state / "config.json", state)
        for number, found in enumerate(runtime.perform_each("scheduler", [("host", [{TRACE!r}])] * 5), start=1):
            print(number, flush=True)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    released = [int(line) for line in done.stdout.split()]
    assert released == list(range(1, len(released) + 1))
    assert len(released) < turn
    start()
    assert len(released) <= len(told(state)) <= turn


def test_a_record_that_reached_the_disk_but_was_never_released_stays_when_it_is_whole(
    state: Path, start: Start
) -> None:
    """After a power cut behind a flush: the record has arrived, the head is an older one."""
    runtime = start()
    list(runtime.perform_each("scheduler", turns(2)))
    sealed = (state / "audit.head").read_bytes()
    runtime.perform("scheduler", TRACE)
    killed(runtime)
    (state / "audit.head").write_bytes(sealed)
    again = start()
    assert again.guard.audit is not None
    assert again.guard.audit.dropped == 0
    assert told(state) == ["redact_1", "tally_1", "host"]


@pytest.mark.parametrize("arrived", [1, 60, 100])
def test_a_record_that_was_torn_is_dropped_and_told(state: Path, start: Start, arrived: int) -> None:
    """After a power cut in a flush: some bytes of the record have arrived, where zeros were; the head is the older."""
    runtime = start()
    list(runtime.perform_each("scheduler", turns(2)))
    assert runtime.guard.audit is not None
    released, sealed = runtime.guard.audit.head.bytes, (state / "audit.head").read_bytes()
    runtime.perform("scheduler", TRACE)
    killed(runtime)
    (state / "audit.head").write_bytes(sealed)
    log = bytearray((state / "audit.log").read_bytes())
    log[released + arrived :] = bytes(len(log) - released - arrived)
    (state / "audit.log").write_bytes(log)
    again = start()
    assert again.guard.audit is not None
    assert again.guard.audit.dropped == arrived
    assert [record["event"] for record in recorded(state)] == ["scheduled", "scheduled", "recovered"]
