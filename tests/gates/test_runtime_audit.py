"""The audit log: nothing is released before it is on disk, and each attack on the log is caught."""

import errno
import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gates.runtime import tail
from gates.runtime.audit import HEAD_BYTES, AuditLog, head_of
from gates.runtime.errors import AuditError, DeniedError
from tests.support.runtimes import EVENT, RAN, ROOT, TRACE, Start, killed, recorded


@pytest.fixture
def log(state: Path, start: Start) -> Path:
    """The log of a runtime that did three turns and ended in good order."""
    runtime = start()
    for by in ("redact_1", "tally_1", "host"):
        runtime.perform("scheduler", TRACE, by)
    runtime.close()
    return state / "audit.log"


def test_what_was_done_is_on_record_in_order(state: Path, log: Path) -> None:
    assert [record["by"] for record in recorded(state)] == ["redact_1", "tally_1", "host"]


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def _with_lines(path: Path, lines: list[bytes]) -> None:
    path.write_bytes(b"".join(lines))


def cut_by_a_record(path: Path) -> None:
    _with_lines(path, _lines(path)[:-1])


def cut_by_a_byte(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def deleted(path: Path) -> None:
    path.unlink()


def edited(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"by":"tally_1"', b'"by":"tally_2"'))


def edited_with_a_digest_without_the_key(path: Path) -> None:
    lines = _lines(path)
    before = bytes.fromhex(lines[0][:64].decode())
    text = lines[1][65:-1].replace(b"tally_1", b"tally_2")
    lines[1] = hashlib.sha256(before + text).hexdigest().encode() + b" " + text + b"\n"
    _with_lines(path, lines)


def reordered(path: Path) -> None:
    first, second, third = _lines(path)
    _with_lines(path, [second, first, third])


def record_removed(path: Path) -> None:
    first, _, third = _lines(path)
    _with_lines(path, [first, third])


def record_repeated(path: Path) -> None:
    first, second, third = _lines(path)
    _with_lines(path, [first, second, second, third])


def zeroed_at_the_end(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-20] + bytes(20))


def _with_head(path: Path, lines: list[bytes], seal: bytes) -> None:
    """A head that fits these lines, with some seal."""
    text = json.dumps([len(lines), sum(map(len, lines)), lines[-1][:64].decode(), 1], separators=(",", ":"))
    head_of(path).write_bytes((text.encode() + b" " + seal).ljust(HEAD_BYTES - 1) + b"\n")
    _with_lines(path, lines)


def cut_with_the_seal_of_the_head_that_was(path: Path) -> None:
    _with_head(path, _lines(path)[:-1], head_of(path).read_bytes().split()[1])


def cut_with_the_mac_of_a_record_as_a_seal(path: Path) -> None:
    _with_head(path, _lines(path)[:-1], _lines(path)[1][:64])


def cut_and_head_deleted(path: Path) -> None:
    cut_by_a_record(path)
    head_of(path).unlink()


def cut_and_head_emptied(path: Path) -> None:
    cut_by_a_record(path)
    head_of(path).write_bytes(b"")


def epoch_of_a_record_lowered(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b" 1 [", b" 0 ["))


def made_anew_with_another_key(path: Path) -> None:
    path.unlink()
    head_of(path).unlink()
    AuditLog.create(path, b"x" * 32, epoch=1)


@pytest.mark.parametrize(
    "attack",
    [
        cut_by_a_record,
        cut_by_a_byte,
        emptied,
        deleted,
        edited,
        edited_with_a_digest_without_the_key,
        reordered,
        record_removed,
        record_repeated,
        zeroed_at_the_end,
        cut_with_the_seal_of_the_head_that_was,
        cut_with_the_mac_of_a_record_as_a_seal,
        cut_and_head_deleted,
        cut_and_head_emptied,
        epoch_of_a_record_lowered,
        made_anew_with_another_key,
    ],
)
def test_a_log_that_was_tampered_with_keeps_the_runtime_from_starting(
    log: Path, start: Start, attack: Callable[[Path], None]
) -> None:
    attack(log)
    with pytest.raises(AuditError):
        start()


@pytest.mark.parametrize("left", [b"0", b"a" * 64 + b' {"event":"sch', b"\0" * 4096 + b"torn"])
def test_what_a_crash_left_behind_the_sealed_records_is_dropped_and_told(
    state: Path, log: Path, start: Start, left: bytes
) -> None:
    with log.open("ab") as file:
        file.write(left)
    runtime = start()
    assert runtime.guard.audit is not None
    assert runtime.guard.audit.dropped == len(left)
    assert [record["event"] for record in recorded(state)] == [*["scheduled"] * 3, "recovered"]
    assert recorded(state)[-1]["sha256"] == hashlib.sha256(left).hexdigest()


def test_room_that_was_written_ahead_is_no_record(state: Path, start: Start) -> None:
    runtime = start()
    runtime.perform("scheduler", TRACE)
    assert (state / "audit.log").stat().st_size > tail.FIRST_ROOM_BYTES
    assert runtime.guard.audit is not None
    killed(runtime)
    again = start()
    assert again.guard.audit is not None
    assert again.guard.audit.dropped == 0
    assert len(recorded(state)) == 1


def test_a_killed_runtime_leaves_what_it_released_and_nothing_else(state: Path, start: Start) -> None:
    script = f"""
        import os, signal, sys
        from pathlib import Path
        sys.path.insert(0, {str(ROOT)!r})
        from gates.runtime.core import Runtime
        state = Path({str(state)!r})
        runtime = Runtime.start(state / "config.json", state)
        print(runtime.perform("scheduler", {TRACE!r}, "redact_1"), flush=True)
        with runtime.guard.turn():
            runtime.perform("scheduler", {TRACE!r}, "tally_1")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.strip() == str(RAN)
    start()
    assert [record["by"] for record in recorded(state)] == ["redact_1"]


def test_a_result_is_released_only_when_its_record_has_reached_the_disk(
    state: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    durable, write = [0], tail.write

    def flush(*arguments: Any) -> None:
        write(*arguments)
        durable[0] = len(recorded(state))

    monkeypatch.setattr(tail, "write", flush)
    runtime = start()
    runtime.perform("scheduler", TRACE)
    assert durable == [1]
    runtime.perform_all("scheduler", [TRACE] * 5)
    assert durable == [6]


def test_what_is_written_has_reached_the_disk(start: Start) -> None:
    log = start().guard.audit
    assert log is not None
    assert fcntl.fcntl(log._descriptor, fcntl.F_GETFL) & os.O_DSYNC == os.O_DSYNC


@pytest.mark.parametrize("sizes", [[1], [4096], [4095, 1, 1], [10, 5000, 40_000, 3], [1 << 20, 7], [4096, 4096, 1]])
def test_what_is_put_at_the_end_is_there_whatever_its_size(tmp_path: Path, sizes: list[int]) -> None:
    path, expected = tmp_path / "file", b"begin"
    path.write_bytes(expected)
    descriptor = tail.open_log(path)
    end = tail.Tail(descriptor, len(expected), expected)
    for number, size in enumerate(sizes, start=1):
        data = bytes([number]) * size
        expected += data
        end.put(data)
        end.sync()
        assert path.read_bytes().rstrip(b"\0") == expected
    os.close(descriptor)


def test_a_file_system_that_cannot_write_past_its_cache_is_written_through_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open

    def refusing(path: Path, flags: int) -> int:
        if flags & getattr(os, "O_DIRECT", 0):
            raise OSError(errno.EINVAL, "Invalid argument")
        return opened(path, flags)

    (tmp_path / "file").touch()
    monkeypatch.setattr(os, "open", refusing)
    descriptor = tail.open_log(tmp_path / "file")
    assert fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_DSYNC == os.O_DSYNC
    os.close(descriptor)


def test_nothing_is_released_once_the_log_cannot_be_written(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = start()

    def full(*arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        with pytest.raises(AuditError, match="No space left"):
            runtime.perform("scheduler", TRACE)
    with pytest.raises(AuditError, match="nothing is released any more"):
        runtime.perform("scheduler", TRACE)


def test_a_second_runtime_on_the_same_log_is_refused(start: Start) -> None:
    start()
    with pytest.raises(AuditError, match="another runtime"):
        start()


def test_decisions_and_refusals_of_every_path_are_on_record(state: Path, start: Start) -> None:
    runtime = start()
    runtime.extensions.add("redact_1")
    runtime.extensions.dispatch_all([EVENT, EVENT])
    runtime.extensions.remove("redact_1")
    with pytest.raises(DeniedError):
        runtime.perform("scheduler", TRACE, "stranger")
    told = [record["event"] for record in recorded(state)]
    assert told == ["added", "dispatched", "removed", "refused"]
    assert recorded(state)[1]["kinds"] == {"saved": 2}
