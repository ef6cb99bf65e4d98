"""The reference runtime: its security instrumentation is real, and switching it off changes no result."""

import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cedarpy")
pytest.importorskip("cryptography")

from gates.runtime import audit, levers, publisher
from gates.runtime.audit import HEAD_BYTES, AuditLog, events
from gates.runtime.config import INSTRUMENTS, load_config
from gates.runtime.core import Runtime
from gates.runtime.errors import AuditError, ConfigError, DeniedError, ForgedError, RuntimeFault, TamperedError
from gates.runtime.manifest import Manifest, sealed

ROOT = Path(__file__).parents[2]
ECHO = """
import pluggy

@pluggy.HookimplMarker("gates")
def handle(event):
    return event["text"]
"""
EVENT = {"kind": "saved", "text": "hello"}
TRACE = [[0, 0, 0], [1, 5, 0], [3, 1, 4]]
RAN = {"ran": [[0]], "missed": [], "pending": [0, 1, 0]}
POLICIES = (ROOT / "gates" / "runtime" / "policies.cedar").read_text(encoding="utf-8")
SUSPENDED = 'forbid(principal == Extension::"redact_1", action, resource);'

Start = Callable[..., Runtime]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    publisher.install(folder, extensions={"redact_1": ECHO, "tally_1": ECHO.replace('["text"]', '["kind"]')})
    return folder


@pytest.fixture
def start(state: Path) -> Iterator[Start]:
    running: list[Runtime] = []

    def started(**options: Any) -> Runtime:
        running.append(Runtime.start(state / "config.json", state, workdir=state.parent, **options))
        return running[-1]

    yield started
    for runtime in running:
        if runtime.guard.audit is not None:
            runtime.guard.close()


def recorded(state: Path) -> list[dict[str, Any]]:
    return events((state / "audit.log").read_bytes(), (state / "trust" / "audit.key").read_bytes())


# ---- provenance -----------------------------------------------------------------------------------------


def test_an_extension_that_was_changed_after_it_was_signed_is_refused(state: Path, start: Start) -> None:
    (state / "extensions" / "redact_1.py").write_text(ECHO + "# one byte more", encoding="utf-8")
    runtime = start()
    with pytest.raises(TamperedError, match=r"extensions/redact_1\.py is not what was signed"):
        runtime.extensions.add("redact_1")
    assert runtime.extensions.names == []
    assert recorded(state)[-1]["fault"] == "TamperedError"


def test_content_is_compared_each_time_it_is_used_not_only_the_first_time(state: Path, start: Start) -> None:
    runtime = start()
    runtime.extensions.add("redact_1")
    runtime.extensions.remove("redact_1")
    (state / "extensions" / "redact_1.py").write_text("# other", encoding="utf-8")
    with pytest.raises(TamperedError):
        runtime.extensions.add("redact_1")


def test_an_extension_that_nobody_signed_is_refused(state: Path, start: Start) -> None:
    (state / "extensions" / "route_1.py").write_text(ECHO, encoding="utf-8")
    with pytest.raises(TamperedError, match="is not in the manifest"):
        start().extensions.add("route_1")


@pytest.mark.parametrize("name", ["missing", "../trust/manifest", "redact_1.py", ""])
def test_a_name_that_is_no_extension_is_refused(start: Start, name: str) -> None:
    with pytest.raises(TamperedError, match="there is no extension"):
        start().extensions.add(name)


def test_a_policy_that_was_changed_on_disk_keeps_the_runtime_from_starting(state: Path, start: Start) -> None:
    (state / "trust" / "policies.cedar").write_text("permit(principal, action, resource);", encoding="utf-8")
    with pytest.raises(TamperedError, match=r"policies\.cedar"):
        start()


def test_a_manifest_of_another_publisher_is_forged(state: Path, start: Start) -> None:
    publisher.publish(state, POLICIES, epoch=1, key=publisher.key_of("somebody else"))
    with pytest.raises(ForgedError):
        start()


@pytest.mark.parametrize("keep", [0, 1, 40, 88, 89, 90, -1, -40])
def test_a_manifest_that_was_cut_is_forged(state: Path, start: Start, keep: int) -> None:
    manifest = state / "trust" / "manifest"
    manifest.write_bytes(manifest.read_bytes()[:keep])
    with pytest.raises(ForgedError):
        start()


def test_a_manifest_whose_digest_was_exchanged_is_forged(state: Path, start: Start) -> None:
    manifest = state / "trust" / "manifest"
    own = hashlib.sha256(ECHO.encode()).hexdigest().encode()
    manifest.write_bytes(manifest.read_bytes().replace(own, b"0" * 64))
    with pytest.raises(ForgedError):
        start()


def test_a_signature_that_was_made_for_something_else_is_worth_nothing(state: Path, start: Start) -> None:
    class Bare:
        def sign(self, data: bytes, /) -> bytes:
            return publisher.key_of().sign(data.partition(b"\n")[2])

    (state / "trust" / "manifest").write_bytes(sealed(Manifest("runtime", 1, 1, {}), Bare()))
    with pytest.raises(ForgedError):
        start()


def test_code_of_a_hot_path_that_was_changed_is_not_run(tmp_path: Path, start: Start) -> None:
    folder = tmp_path / "lev_05_scheduler"
    shutil.copytree(levers.LEVERS / "lev_05_scheduler", folder)
    guard = start().guard
    guard.admit_code(folder)
    (folder / "tuned.json").write_text((folder / "tuned.json").read_text(encoding="utf-8") + " ", encoding="utf-8")
    with pytest.raises(TamperedError, match=r"lev_05_scheduler/tuned\.json"):
        guard.admit_code(folder)


# ---- provenance on the hot paths -----------------------------------------------------------------------

CHECK = {"settings": {}}


@pytest.fixture
def project(state: Path) -> Path:
    pytest.importorskip("tree_sitter")
    folder = state.parent / "project"
    (folder / "lib").mkdir(parents=True)
    (folder / "a.js").write_text("require('fs').readFileSync('x');\n", encoding="utf-8")
    (folder / "lib" / "b.js").write_text("module.exports = 1;\n", encoding="utf-8")
    sign(folder, 1)
    return folder


def sign(folder: Path, version: int, **options: Any) -> None:
    envelope = publisher.sign_folder(folder, folder.name, version, **options)
    (folder.parent / f"{folder.name}.manifest").write_bytes(envelope)


def test_a_signed_project_is_checked(project: Path, start: Start) -> None:
    assert start().perform("compat", CHECK, "redact_1")["files"] == 2


@pytest.mark.parametrize("what", ["changed", "added", "removed", "renamed"])
def test_a_project_that_is_not_what_was_signed_is_refused(project: Path, start: Start, what: str) -> None:
    runtime = start()
    runtime.perform("compat", CHECK, "redact_1")
    if what == "changed":
        (project / "a.js").write_text("require('child_process');\n", encoding="utf-8")
    elif what == "added":
        (project / "c.js").write_text("", encoding="utf-8")
    elif what == "removed":
        (project / "a.js").unlink()
    else:
        (project / "a.js").rename(project / "z.js")
    with pytest.raises(TamperedError):
        runtime.perform("compat", CHECK, "redact_1")


def test_a_project_under_an_older_manifest_is_refused(project: Path, start: Start) -> None:
    runtime = start()
    sign(project, 2)
    runtime.perform("compat", CHECK)
    sign(project, 1)
    with pytest.raises(ForgedError, match="version 1 of the manifest, but 2 was seen before"):
        runtime.perform("compat", CHECK)


def test_a_project_without_a_manifest_or_with_a_forged_one_is_refused(project: Path, start: Start) -> None:
    runtime = start()
    sign(project, 1, key=publisher.key_of("somebody else"))
    with pytest.raises(ForgedError):
        runtime.perform("compat", CHECK)
    (project.parent / "project.manifest").unlink()
    with pytest.raises(ForgedError, match="has no manifest"):
        runtime.perform("compat", CHECK)


COMPARE = {"fixtures": 1, "runtimes": ["one", "two"], "recorded": {}}


@pytest.fixture
def streams(state: Path) -> Path:
    pytest.importorskip("orjson")
    folder = state.parent / "streams"
    folder.mkdir()
    corpus = json.loads((levers.LEVERS / "lev_02_lockstep" / "recordings" / "manifest.json").read_bytes())["corpus"]
    for name in COMPARE["runtimes"]:
        write_stream(folder / name, corpus)
    sign(folder, 1)
    return folder


def write_stream(path: Path, corpus: str, answer: str = "1") -> None:
    lines = [f'["#begin","{path.name}","1",1,"7:{corpus}"]', f'[0,"a.b",{answer}]', '["#end",1]']
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize("signed", [False, True])
def test_streams_are_compared(streams: Path, start: Start, signed: bool) -> None:
    assert start().perform("lockstep", COMPARE | {"recorded": {"signed": signed}}, "redact_1")["agreed"] == 1


def test_a_stream_of_another_corpus_is_refused(streams: Path, start: Start) -> None:
    for name in COMPARE["runtimes"]:
        write_stream(streams / name, "0" * 64)
    with pytest.raises(TamperedError, match="another corpus"):
        start().perform("lockstep", COMPARE)


def test_a_recording_that_was_changed_is_refused(streams: Path, start: Start) -> None:
    (streams / "two").write_bytes((streams / "two").read_bytes().replace(b'[0,"a.b",1]', b'[0,"a.b",2]'))
    runtime = start()
    assert runtime.perform("lockstep", COMPARE)["disagreed"] == 1
    with pytest.raises(TamperedError, match="two is not what was signed"):
        runtime.perform("lockstep", COMPARE | {"recorded": {"signed": True}})


# ---- policy ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["stranger", "", "Host"])
def test_who_is_not_vetted_is_denied_and_the_denial_is_on_record(state: Path, start: Start, by: str) -> None:
    with pytest.raises(DeniedError, match="may not schedule"):
        start().perform("scheduler", TRACE, by)
    assert recorded(state)[-1]["fault"] == "DeniedError"


def test_a_revoked_policy_denies_what_it_allowed_a_moment_before(state: Path, start: Start) -> None:
    runtime = start()
    assert runtime.perform("scheduler", TRACE, "redact_1") == RAN
    publisher.publish(
        state, POLICIES.replace('@id("vetted-schedule")\npermit(', '@id("vetted-schedule")\nforbid('), epoch=2
    )
    runtime.renew()
    with pytest.raises(DeniedError, match="policy epoch 2"):
        runtime.perform("scheduler", TRACE, "redact_1")


def test_an_extension_that_is_suspended_gets_no_further_event(state: Path, start: Start) -> None:
    runtime = start()
    for name in ("redact_1", "tally_1"):
        runtime.extensions.add(name)
    assert runtime.extensions.dispatch(EVENT) == ["saved", "hello"]
    publisher.publish(state, POLICIES + SUSPENDED, epoch=2)
    runtime.renew()
    assert runtime.extensions.dispatch(EVENT) == ["saved"]
    with pytest.raises(DeniedError):
        runtime.perform("scheduler", TRACE, "redact_1")


def test_a_policy_that_is_not_newer_does_not_come_into_force(state: Path, start: Start) -> None:
    publisher.publish(state, POLICIES + SUSPENDED, epoch=5)
    runtime = start()
    with pytest.raises(DeniedError):
        runtime.extensions.add("redact_1")
    for epoch in (4, 5):
        publisher.publish(state, POLICIES, epoch=epoch)
        with pytest.raises(ForgedError):
            runtime.renew()
    with pytest.raises(DeniedError):
        runtime.extensions.add("redact_1")


def test_an_older_trust_state_put_back_keeps_the_runtime_from_starting(state: Path, start: Start) -> None:
    old = (state / "trust" / "manifest").read_bytes()
    publisher.publish(state, POLICIES + SUSPENDED, epoch=2)
    runtime = start()
    runtime.perform("scheduler", TRACE, "tally_1")
    runtime.close()
    (state / "trust" / "manifest").write_bytes(old)
    (state / "trust" / "policies.cedar").write_text(POLICIES, encoding="utf-8")
    with pytest.raises(ForgedError, match="policy epoch 1, 2 was in force"):
        start()


def test_an_update_that_was_tampered_with_leaves_the_old_policy_in_force(state: Path, start: Start) -> None:
    runtime = start()
    publisher.publish(state, POLICIES + SUSPENDED, epoch=2)
    (state / "trust" / "policies.cedar").write_text(POLICIES, encoding="utf-8")
    with pytest.raises(TamperedError):
        runtime.renew()
    assert runtime.perform("scheduler", TRACE, "redact_1") == RAN


def test_a_decision_is_asked_for_once_an_epoch(state: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    import cedarpy

    asked: list[Any] = []
    decide = cedarpy.is_authorized
    monkeypatch.setattr(cedarpy, "is_authorized", lambda *request: asked.append(request[0]) or decide(*request))
    runtime = start()
    runtime.perform_all("scheduler", [TRACE] * 3, "redact_1")
    assert len(asked) == 1
    runtime.perform("scheduler", TRACE, "tally_1")
    assert len(asked) == 2
    publisher.publish(state, POLICIES, epoch=2)
    runtime.renew()
    runtime.perform("scheduler", TRACE, "redact_1")
    assert len(asked) == 3


def test_a_policy_that_cannot_be_read_allows_nothing(state: Path, start: Start) -> None:
    publisher.publish(state, "permit(", epoch=1)
    with pytest.raises(ConfigError, match="cannot be read"):
        start().perform("scheduler", TRACE)


# ---- audit log ------------------------------------------------------------------------------------------


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
    return path.read_bytes()[HEAD_BYTES:].splitlines(keepends=True)


def _with_lines(path: Path, lines: list[bytes]) -> None:
    path.write_bytes(path.read_bytes()[:HEAD_BYTES] + b"".join(lines))


def cut_by_a_record(path: Path) -> None:
    _with_lines(path, _lines(path)[:-1])


def cut_by_a_byte(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def cut_to_the_head(path: Path) -> None:
    _with_lines(path, [])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def deleted(path: Path) -> None:
    path.unlink()


def edited(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"by":"tally_1"', b'"by":"tally_2"'))


def edited_with_its_digest(path: Path) -> None:
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


def cut_with_a_head_that_fits(path: Path) -> None:
    lines = _lines(path)[:-1]
    size = HEAD_BYTES + sum(map(len, lines))
    text = json.dumps([2, size, lines[-1][:64].decode(), 1], separators=(",", ":")).encode()
    seal = path.read_bytes()[:HEAD_BYTES].split()[1]
    path.write_bytes((text + b" " + seal).ljust(HEAD_BYTES - 1) + b"\n" + b"".join(lines))


def made_anew_with_another_key(path: Path) -> None:
    path.unlink()
    AuditLog.create(path, b"x" * 32, epoch=1)


@pytest.mark.parametrize(
    "attack",
    [
        cut_by_a_record,
        cut_by_a_byte,
        cut_to_the_head,
        emptied,
        deleted,
        edited,
        edited_with_its_digest,
        reordered,
        record_removed,
        record_repeated,
        zeroed_at_the_end,
        cut_with_a_head_that_fits,
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
    assert (state / "audit.log").stat().st_size > audit.ROOM_BYTES
    assert runtime.guard.audit is not None
    os.close(runtime.guard.audit._descriptor)  # as the kernel does for a process that was killed
    runtime.guard.audit = None
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
    synced: list[int] = []
    sync = audit._sync
    monkeypatch.setattr(audit, "_sync", lambda descriptor: synced.append(len(recorded(state))) or sync(descriptor))
    runtime = start()
    runtime.perform("scheduler", TRACE)
    assert synced == [1]
    runtime.perform_all("scheduler", [TRACE] * 5)
    assert synced == [1, 6]


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


# ---- instruments, start, loader -------------------------------------------------------------------------


@pytest.mark.parametrize("on", [(), *[(name,) for name in INSTRUMENTS], INSTRUMENTS])
def test_results_are_the_same_whatever_instruments_are_on(
    state: Path, project: Path, streams: Path, start: Start, on: tuple[str, ...]
) -> None:
    runtime = start(instruments=on)
    assert runtime.perform("scheduler", TRACE, "redact_1") == RAN
    assert runtime.perform("compat", CHECK, "redact_1")["counts"] == {"ok": 2, "warn": 0, "error": 0}
    assert runtime.perform("lockstep", COMPARE, "redact_1")["agreed"] == 1
    turn = {"add": ["redact_1", "tally_1"], "events": [EVENT]}
    expected = {"answers": [["saved", "hello"]], "registered": ["redact_1", "tally_1"]}
    assert runtime.perform("extensions", turn, "redact_1") == expected
    on_disk = recorded(state) if "audit" in on else []
    assert len(on_disk) == (6 if "audit" in on else 0)


def test_each_instrument_catches_its_attack_alone_and_only_it(state: Path, start: Start) -> None:
    (state / "extensions" / "redact_1.py").write_text(ECHO + "#", encoding="utf-8")
    (state / "audit.log").write_bytes(b"")
    attacks: dict[str, Callable[[Runtime], object]] = {
        "provenance": lambda runtime: runtime.extensions.add("redact_1"),
        "policy": lambda runtime: runtime.perform("scheduler", TRACE, "stranger"),
    }
    for name in INSTRUMENTS:
        caught = set()
        try:
            runtime = start(instruments=[name])
        except AuditError:
            assert name == "audit"
            continue
        for attack, done in attacks.items():
            try:
                done(runtime)
            except RuntimeFault:
                caught.add(attack)
        assert caught == {name}


def test_an_instrument_that_does_not_exist_is_refused(start: Start) -> None:
    with pytest.raises(ConfigError, match="no such instrument: provenence"):
        start(instruments=["provenence"])


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"publisher": "00", "instruments": []}', '{"publisher": 1, "instruments": []}']
)
def test_a_configuration_that_is_not_one_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError):
        load_config(path)


def test_a_path_that_does_not_exist_is_refused(start: Start) -> None:
    with pytest.raises(ConfigError, match="no such hot path"):
        start().perform("../core", {})


def test_a_start_loads_nothing_that_it_does_not_need(state: Path) -> None:
    script = f"""
        import sys
        from pathlib import Path
        sys.path.insert(0, {str(ROOT)!r})
        from gates.runtime.core import Runtime
        state, phases = Path({str(state)!r}), []
        runtime = Runtime.start(state / "config.json", state, mark=phases.append)
        print(phases, sorted({{"cedarpy", "pluggy", "tree_sitter", "cryptography"}} & sys.modules.keys()))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['config', 'trust'] ['cryptography']"


def test_levers_with_modules_of_the_same_name_do_not_get_each_others() -> None:
    one, other = levers.load("lev_05_scheduler", "candidate"), levers.load("lev_05_scheduler", "candidate", "baseline")
    assert one.candidate is other.candidate
    pytest.importorskip("orjson")
    lockstep = levers.load("lev_02_lockstep", "candidate")
    assert lockstep.candidate is not one.candidate
    assert not {"candidate", "baseline", "wheel", "harness"} & sys.modules.keys()


def test_code_that_is_not_admitted_is_not_imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "lever").mkdir()
    (tmp_path / "lever" / "candidate.py").write_text("raise SystemError('it ran')", encoding="utf-8")
    monkeypatch.setattr(levers, "LEVERS", tmp_path)

    def refuse(place: Path) -> None:
        raise TamperedError(place.name)

    with pytest.raises(TamperedError, match="lever"):
        levers.load("lever", "candidate", admit=refuse)
