"""The reference runtime: switching instruments off changes no result; a start loads only what it needs."""

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from gates.runtime import levers
from gates.runtime.config import INSTRUMENTS, load_config
from gates.runtime.core import Runtime
from gates.runtime.errors import AuditError, ConfigError, RuntimeFault, TamperedError
from tests.support.runtimes import CHECK, COMPARE, ECHO, EVENT, RAN, ROOT, TRACE, Start, recorded


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
    runtime = start()
    runtime.perform("scheduler", TRACE, "redact_1")
    runtime.close()
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
