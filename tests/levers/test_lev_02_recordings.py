"""LEV-02: runtimes answer as recorded, recordings are what was recorded, nothing is lost in the encoding."""

import gzip
import json
import re
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.lever_modules import LEVERS, load_modules
from tests.support.lockstep import DENO, FOLDER, NODE, both, lever

RECORDED = sorted(lever.recordings.manifest()["runtimes"])
FEW = 3 * 48


# ---- real runtimes and what is recorded of them ---------------------------------------------------------


@pytest.mark.parametrize(("runtime", "name"), [("node", NODE), ("deno", DENO)])
def test_a_runtime_answers_live_as_it_was_recorded(runtime: str, name: str, tmp_path: Path) -> None:
    live = lever.record.answers(runtime, lever.fixtures.SEED, FEW)
    recorded = lever.recordings.lines(name)[: FEW + 1]
    assert json.loads(live[0]) == [*json.loads(recorded[0])[:3], FEW, json.loads(recorded[0])[4]]
    report = both(tmp_path, {"recorded": [live[0], *recorded[1:], live[-1]], "live": live})
    assert (report["agreed"], report["complete"]) == (FEW, True)
    changed = [one for one, other in zip(recorded[1:], live[1:], strict=False) if one != other]
    assert 0 < len(changed) < FEW // 10
    assert all(lever.volatile.canonical_text(line.decode()) != line.decode() for line in changed)


def test_node_and_deno_are_compared_while_they_run(tmp_path: Path) -> None:
    operation = {"fixtures": FEW, "runtimes": ["node", "deno"], "live": {"seed": lever.fixtures.SEED}}
    live = lever.candidate.Subject({}, tmp_path).operate(operation)
    assert live["complete"]
    recorded = {name: lever.perturb.output(name, FEW, "1", 0, stamped=False) for name in (NODE, DENO)}
    assert [row[:3] for row in live["rows"]] == [row[:3] for row in both(tmp_path, recorded)["rows"]]


def test_the_recordings_are_of_these_scripts_and_whole() -> None:
    manifest = lever.recordings.manifest()
    corpus = {"corpus": lever.fixtures.corpus_digest(), "seed": lever.fixtures.SEED, "count": lever.fixtures.COUNT}
    assert {key: manifest[key] for key in corpus} == corpus
    assert {NODE, DENO} < set(RECORDED)
    for name in RECORDED:
        head, *lines, end = lever.recordings.lines(name)
        assert json.loads(head)[1:] == [*name.rsplit("-", 1), 5000, f"{manifest['seed']}:{manifest['corpus']}"]
        assert [lever.wire.parse(line)[0] for line in lines] == list(range(5000))
        assert json.loads(end) == ["#end", 5000]
        assert (FOLDER / "recordings" / f"{name}.jsonl.gz").stat().st_size < 450_000


def test_there_are_48_call_families_in_four_bands() -> None:
    families = {lever.wire.family_of(line) for line in lever.recordings.lines(NODE)[1:-1]}
    assert len(families) == 48
    assert {lever.bands.band_of(family) for family in families} == set(lever.bands.BANDS)


def test_bands_are_those_of_the_compatibility_checker() -> None:
    compat = load_modules(LEVERS / "lev_01_compat_cache", "compat").compat
    for module, band in compat.BANDS.items():
        assert lever.bands.band_of(f"{module}.anything") == band
    for module, member in compat.UNSAFE:
        assert lever.bands.band_of(f"{module}.{member}") == "unsafe"
    assert lever.bands.band_of("Intl.Collator") == "edge"


@pytest.fixture
def recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the recordings that a test may damage; what was read before is forgotten."""
    for path in (FOLDER / "recordings").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(lever.recordings, "FOLDER", tmp_path)
    lever.recordings.lines.cache_clear()
    yield tmp_path
    lever.recordings.lines.cache_clear()


def test_an_edited_recording_is_refused(recordings: Path) -> None:
    path = recordings / f"{DENO}.jsonl.gz"
    data = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(data.replace(b"true", b"1", 1)))
    with pytest.raises(lever.recordings.RecordingError, match=r"not what was recorded; record it again"):
        lever.recordings.lines(DENO)
    path.write_bytes(gzip.compress(data))
    assert len(lever.recordings.lines(DENO)) == 5002


# Named, and without the time of day: processes that share the tests must know each by the same name.
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="missing"),
        pytest.param(b"", id="empty"),
        pytest.param(b"no archive", id="no archive"),
        pytest.param(gzip.compress(b"line\n" * 99, mtime=0)[:-9], id="cut off"),
    ],
)
def test_a_recording_that_cannot_be_read_is_refused(content: bytes | None, recordings: Path) -> None:
    path = recordings / f"{DENO}.jsonl.gz"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(lever.recordings.RecordingError, match=r"cannot be read|not what was recorded"):
        lever.recordings.lines(DENO)
    with pytest.raises(lever.recordings.RecordingError, match="no recording of 'node-1'"):
        lever.recordings.lines("node-1")


def test_the_same_outputs_make_the_same_recording(recordings: Path) -> None:
    before = {path.name: path.read_bytes() for path in recordings.iterdir()}
    written = lever.recordings.manifest()["runtimes"][DENO]["recorded"]
    lever.recordings.write(DENO, b"".join(lever.recordings.lines(DENO)), written)
    after = {path.name: path.read_bytes() for path in recordings.iterdir()}
    assert gzip.decompress(after.pop(f"{DENO}.jsonl.gz")) == gzip.decompress(before.pop(f"{DENO}.jsonl.gz"))
    assert after == before


def test_a_runtime_that_fails_is_not_recorded(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text('#!/bin/sh\necho \'["#begin","broken","1",3,"x"]\'\n', encoding="utf-8")
    broken.chmod(0o700)
    with pytest.raises(lever.recordings.RecordingError, match=r"truncated after 0 of 3"):
        lever.record.answers(str(broken), 1, 3)


def test_the_readme_states_what_the_recordings_hold() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    stated = dict(re.findall(r"^\| `(\w+-\d+\.\d+\.\d+)` \| (.+) \|$", readme, re.MULTILINE))
    assert stated == {name: _shares(name) for name in RECORDED if name != NODE}


def _shares(name: str) -> str:
    pairs = list(zip(lever.recordings.lines(NODE)[1:-1], lever.recordings.lines(name)[1:-1], strict=True))
    differ = [pair for pair in pairs if pair[0] != pair[1]]
    diverge = [pair for pair in differ if len({_digest(line) for line in pair}) == 2]
    same, volatile = (100 * count / len(pairs) for count in (len(pairs) - len(differ), len(differ) - len(diverge)))
    return f"{same:.1f} % | {volatile:.1f} % | {len(diverge)}"


def _digest(line: bytes) -> object:
    return lever.baseline.digest(line, lever.baseline.value_of(line))


SPECIAL = """
    import { encode, encodeLine } from "./encode.mjs";
    import { writeSync } from "node:fs";
    const cyclic = { a: 1 };
    cyclic.self = cyclic;
    const tagged = [undefined, [1, , 2], NaN, -0, Infinity, -Infinity, 2n ** 70n, Symbol("s"), Symbol.for("s"),
      Symbol(), function f(a, b) {}, new Date(5), new Date(NaN), /a+/gi,
      Object.assign(new TypeError("m"), { code: "E" }),
      new RangeError("m"), new Map([["k", [1]]]), new Set([1, "1"]), new Uint8Array([1, 255]), Buffer.from("é"),
      new Float64Array(1), "\\ud800a", cyclic, { b: 1, a: 2 }, Object.create(null), { get x() { return 1; } },
      Object.assign([1], { x: 2 }), Object(1n), new (class A {})(), "{", { "\\udc00": null }, new ArrayBuffer(2),
      { ["__proto__"]: 1 }, 18446744073709552000, 1e21, 0];
    writeSync(1, encodeLine(tagged.map(encode)) + "\\n");
"""
ENCODED = [
    ["undefined"], ["array", 1, ["hole"], 2], ["NaN"], ["-0"], ["Infinity"], ["-Infinity"],
    ["bigint", "1180591620717411303424"], ["symbol", "local", "s"], ["symbol", "shared", "s"],
    ["symbol", "local", ["undefined"]], ["function", "f", 2], ["date", 5], ["date", ["NaN"]],
    ["regexp", "a+", "gi", 0], ["error", "TypeError", "TypeError", "E"],
    ["error", "RangeError", "RangeError", ["undefined"], "m"], ["map", ["k", ["array", 1]]], ["set", 1, "1"],
    ["typed", "Uint8Array", 2, "01ff"], ["typed", "Buffer", 2, "c3a9"], ["typed", "Float64Array", 1, "0" * 16],
    ["utf16", "d8000061"], ["object", "Object", ["a", 1], ["self", ["seen", 0]]],
    ["object", "Object", ["b", 1], ["a", 2]], ["object", None], ["object", "Object", ["x", ["accessor"]]],
    ["array+", [1], ["x", 2]], ["boxed", ["bigint", "1"]], ["object", "A"], "{",
    ["object", "Object", [["utf16", "dc00"], None]], ["typed", "ArrayBuffer", 2, "0000"],
    ["object", "Object", ["__proto__", 1]], 18446744073709552000, 1e21, 0,
]  # fmt: skip


@pytest.mark.parametrize("runtime", ["node", "deno"])
def test_nothing_of_a_value_is_lost_in_its_encoding(runtime: str, tmp_path: Path) -> None:
    (tmp_path / "special.mjs").write_text(textwrap.dedent(SPECIAL), encoding="utf-8")
    (tmp_path / "encode.mjs").write_bytes((FOLDER / "encode.mjs").read_bytes())
    argv = [*lever.runtimes.command(runtime), "special.mjs"]
    environment = {**lever.live.ENVIRONMENT, "HOME": str(tmp_path)}
    printed = subprocess.run(argv, cwd=tmp_path, env=environment, capture_output=True, check=True).stdout
    assert b"{" not in printed
    for found, expected in zip(json.loads(printed), ENCODED, strict=True):
        assert json.dumps(found) == json.dumps(expected)
