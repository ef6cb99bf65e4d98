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
from gates.runtime.errors import AuditError, DeniedError, RuntimeFault, TamperedError
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


def _in_a_process(state: Path, script: str) -> "subprocess.CompletedProcess[str]":
    """Run a script that has `state`, `Runtime`, `tail`, `TRACE` and `die()`, which kills it as the kernel would."""
    head = f"""
        import os, resource, signal, sys
        from pathlib import Path
        sys.path.insert(0, {str(ROOT)!r})
        from gates.runtime import tail
        from gates.runtime.core import Runtime
        from gates.runtime.errors import AuditError
        state, TRACE, write, writes = Path({str(state)!r}), {TRACE!r}, tail.write, []
        def die():
            os.kill(os.getpid(), signal.SIGKILL)
        def start():
            return Runtime.start(state / "config.json", state)
    """
    text = textwrap.dedent(head) + textwrap.dedent(script)
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("write", [1, 2, 3, 7, 8, 9])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_around_any_write_leaves_every_record_that_was_released(
    state: Path, start: Start, write: int, when: str
) -> None:
    """The 2nd and the 8th write are of room: it is made by the first flush of a start, and when it is full."""
    before = start()
    before.perform("scheduler", TRACE, "redact_1")
    before.close()
    script = f"""
        def killed(*arguments):
            writes.append(arguments)
            if len(writes) == {write} and {when == "before"}:
                die()
            write(*arguments)
            if len(writes) == {write}:
                die()
        tail.write, tail.FIRST_ROOM_BYTES = killed, tail.BLOCK
        runtime = start()
        while True:
            runtime.perform_all("scheduler", [TRACE] * 20, "tally_1")
            print("released", flush=True)
    """
    done = _in_a_process(state, script)
    assert done.returncode == -signal.SIGKILL, done.stderr
    released = done.stdout.split().count("released")
    start()
    told = [record["by"] for record in recorded(state)]
    assert told[0] == "redact_1"
    assert told[1:].count("tally_1") in (20 * released, 20 * (released + 1))


def test_a_disk_without_room_for_more_refuses_the_turn_and_loses_no_record(state: Path, start: Start) -> None:
    before = start()
    before.perform("scheduler", TRACE, "redact_1")
    before.close()
    script = """
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (tail.BLOCK, tail.BLOCK))
        try:
            start().perform("scheduler", TRACE, "tally_1")
        except AuditError as error:
            print(error)
    """
    assert _in_a_process(state, script).stdout.strip() == "the audit log cannot be written: File too large"
    start()
    assert recorded(state)[0]["by"] == "redact_1"


def test_what_a_crash_left_is_told_also_if_the_start_that_found_it_is_killed(
    state: Path, log: Path, start: Start
) -> None:
    with log.open("ab") as file:
        file.write(b"torn")
    assert _in_a_process(state, "tail.write = lambda *arguments: die()\nstart()").returncode == -signal.SIGKILL
    runtime = start()
    assert runtime.guard.audit is not None
    assert runtime.guard.audit.dropped == 4
    assert recorded(state)[-1]["event"] == "recovered"


@pytest.mark.parametrize("spoiled", ["trust/manifest", "trust/policies.cedar"])
def test_a_start_that_was_refused_lets_go_of_the_log(state: Path, start: Start, spoiled: str) -> None:
    content = (state / spoiled).read_bytes()
    (state / spoiled).write_bytes(b"")
    for _ in range(2):
        with pytest.raises(RuntimeFault) as refused:
            start()
        assert not isinstance(refused.value, AuditError)
    (state / spoiled).write_bytes(content)
    start()


def test_a_hot_path_that_does_not_end_well_keeps_no_record_from_the_disk(
    state: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing() -> None:
        raise OSError("the guest does not end")

    runtime = start()
    runtime.perform("scheduler", TRACE)
    monkeypatch.setattr(runtime._path("scheduler"), "close", failing)
    with pytest.raises(OSError, match="does not end"):
        runtime.close()
    start()
    assert len(recorded(state)) == 1


def test_nothing_is_released_after_the_end(start: Start) -> None:
    runtime = start()
    runtime.close()
    with pytest.raises(AuditError, match="the audit log is closed"):
        runtime.perform("scheduler", TRACE)


def test_a_log_that_may_not_be_written_is_told_as_such(
    state: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*arguments: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "ftruncate", refused)
    with pytest.raises(AuditError, match="cannot be written: Operation not permitted"):
        start()


def test_a_killed_runtime_leaves_what_it_released_and_nothing_else(state: Path, start: Start) -> None:
    script = """
        runtime = start()
        print(runtime.perform("scheduler", TRACE, "redact_1"), flush=True)
        with runtime.guard.turn():
            runtime.perform("scheduler", TRACE, "tally_1")
            die()
    """
    done = _in_a_process(state, script)
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
        end.put([data[: size // 2], data[size // 2 :]])
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


def test_a_refusal_in_a_turn_within_a_turn_is_on_record_once(state: Path, start: Start) -> None:
    (state / "extensions" / "redact_1.py").write_text("# other", encoding="utf-8")
    with pytest.raises(TamperedError):
        start().perform("extensions", {"add": ["redact_1"]})
    assert [record["event"] for record in recorded(state)] == ["refused"]


def test_a_fault_that_nobody_foresaw_is_on_record_once(state: Path, start: Start) -> None:
    runtime = start()
    with pytest.raises(TypeError), runtime.guard.turn():
        runtime.perform("scheduler", [[0, 0, 0], None], "redact_1")
    (failed,) = recorded(state)
    assert (failed["event"], failed["fault"]) == ("failed", "TypeError")


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
