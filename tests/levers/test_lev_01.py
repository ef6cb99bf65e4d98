"""LEV-01: the cache never changes an answer, the analyser is right, the workload is honest."""

import itertools
import json
import random
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.lever_modules import LEVERS, load_modules

FOLDER = LEVERS / "lev_01_compat_cache"

lever = load_modules(FOLDER)
EDGE_CASES = dict(lever.workload.edge_cases({}))


class Pair:
    """Two subjects, each in its own world, answering the same operations."""

    def __init__(self, folder: Path, other: Any) -> None:
        self.workdirs = [folder / "baseline", folder / "other"]
        for workdir in self.workdirs:
            workdir.mkdir()
        self.subjects = [lever.baseline.Subject({}, self.workdirs[0]), other.Subject({}, self.workdirs[1])]
        self.cache = self.workdirs[1] / "cache" / "facts.sqlite3"

    def agree(self, operation: dict[str, Any]) -> bool:
        for workdir in self.workdirs:
            lever.workload.prepare(operation, {}, workdir)
        sent = json.loads(json.dumps(operation))
        one, other = (lever.workload.canonical(subject.operate(sent)) for subject in self.subjects)
        return bool(one == other)

    def rows(self) -> int:
        with sqlite3.connect(self.cache) as database:
            (count,) = database.execute("SELECT count(*) FROM facts").fetchone()
        database.close()
        return int(count)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path, lever.candidate)


@pytest.fixture
def analysed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The sources that the candidate really analysed."""
    sources: list[bytes] = []
    real = lever.analyser.analyse

    def analyse(source: bytes, dialect: str) -> Any:
        sources.append(source)
        return real(source, dialect)

    monkeypatch.setattr(lever.candidate, "analyse", analyse)
    return sources


def op(files: dict[str, Any], cache: str = "keep", **settings: Any) -> dict[str, Any]:
    return {"files": files, "cache": cache, "settings": settings}


def project(count: int) -> dict[str, Any]:
    return {f"m{at}.js": f"const fs = require('fs')\nfs.stat({at})\n" for at in range(count)}


# ---- the same answers -----------------------------------------------------------------------------------


def test_any_bit_of_the_cache_may_flip(pair: Pair) -> None:
    rng = random.Random(7)
    assert pair.agree(op(project(5)))
    assert all(pair.agree(op(project(5), f"flip:{rng.getrandbits(30)}")) for _ in range(200))


# ---- the cache works, and only as a cache ---------------------------------------------------------------


def test_only_new_content_is_analysed(pair: Pair, analysed: list[bytes]) -> None:
    changed = {**project(5), "m2.js": "fetch()\n", "copy.js": project(1)["m0.js"]}
    for files, expected in ((project(5), 5), (project(5), 0), (changed, 1), (project(5), 0)):
        analysed.clear()
        assert pair.agree(op(files))
        assert len(analysed) == expected


def test_a_new_process_finds_the_facts_of_an_older_one(pair: Pair, analysed: list[bytes]) -> None:
    pair.agree(op(project(3)))
    analysed.clear()
    pair.subjects[1] = lever.candidate.Subject({}, pair.workdirs[1])
    assert pair.agree(op(project(3)))
    assert not analysed


def test_a_change_of_table_band_mode_or_target_invalidates_nothing(pair: Pair, analysed: list[bytes]) -> None:
    pair.agree(op(project(3)))
    analysed.clear()
    target = lever.compat.TARGETS[0]
    assert pair.agree(op(project(3), withdrawn={target: ["fs.stat"]}, bands={"fs": "edge"}, mode="strict"))
    assert pair.agree(op(project(3), targets=[target]))
    assert not analysed


@pytest.mark.parametrize("damage", lever.edge_cases.DAMAGES)
def test_a_damaged_cache_is_rebuilt(damage: str, pair: Pair, analysed: list[bytes]) -> None:
    for action in ("keep", damage, "keep", "keep"):
        analysed.clear()
        assert pair.agree(op(project(30), action))
    assert not analysed


def test_a_new_analyser_never_reads_facts_of_the_old_one(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"a.js": "fetch('x')\nrequire('fs')\n"}
    assert pair.agree(op(files))
    monkeypatch.setattr(lever.analyser, "GLOBALS", ("process",))
    assert not pair.agree(op(files)), "the same identity reads the old facts"
    monkeypatch.setattr(lever.grammars, "VERSION", "2")
    pair.subjects[1] = lever.candidate.Subject({}, pair.workdirs[1])
    assert pair.agree(op(files))


def test_identity_names_query_grammar_and_every_file_behind_a_fact(monkeypatch: pytest.MonkeyPatch) -> None:
    identities = [lever.grammars.identity(dialect) for dialect in ("js", "ts", "tsx")]
    monkeypatch.setattr(lever.grammars, "QUERY", "(import_statement) @import")
    identities.append(lever.grammars.identity("js"))
    assert len({tuple(identity) for identity in identities}) == 4
    ours = {path.stem for path in FOLDER.glob("*.py")} & _loaded_by("analyser")
    assert {f"{name}.py" for name in ours} == {*lever.grammars.SOURCES, "project.py"}


def _loaded_by(module: str) -> set[str]:
    code = f"import {module}, sys; print(*sys.modules)"
    argv = [sys.executable, "-c", code]
    return set(subprocess.run(argv, cwd=FOLDER, capture_output=True, text=True, check=True).stdout.split())


def test_each_file_is_read_once_whatever_happens_to_it(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.agree(op({"a.js": "\n"}))
    answers = iter([b"require('fs')\n", b"require('os')\n"])
    monkeypatch.setattr(lever.project, "read", lambda root, path: (next(answers), None))
    report = pair.subjects[1].operate(op({}))
    assert [finding[1] for finding in report["modules"][0][2]] == ["fs"]
    monkeypatch.undo()
    assert pair.agree(op({"a.js": "require('fs')\n", "b.js": "require('os')\n"}))


def test_eviction_bounds_the_cache_and_spares_what_is_in_use(pair: Pair, analysed: list[bytes]) -> None:
    for count in (6, 30, 12, 12):
        analysed.clear()
        assert pair.agree(op(project(count), cache_rows=16))
    assert not analysed
    assert pair.rows() <= 30
    pair.agree(op({"new.js": "1\n"}, cache_rows=16))
    assert pair.rows() <= 16


def test_the_full_disk_case_really_is_full(pair: Pair) -> None:
    name = "the disk is full"
    assert all(pair.agree(operation) for operation in EDGE_CASES[name])
    assert pair.rows() < len(EDGE_CASES[name][-1]["files"])


def test_a_failed_check_stores_nothing_and_the_next_one_works(pair: Pair) -> None:
    pair.agree(op(project(2)))
    with pytest.raises(ValueError, match="unknown mode"):
        pair.subjects[1].operate(op({}, mode="lenient"))
    assert pair.agree(op(project(3)))


RESTRICTED = """
    import ctypes, json, os, resource, sys
    from pathlib import Path
    if sys.argv[2] == "start":
        for capability in (1, 2):  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, so that modes bind root too
            ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)
        os.execv(sys.executable, [sys.executable, "-c", sys.orig_argv[2], sys.argv[1], "run", sys.argv[3]])
    import baseline, candidate
    workdir = Path(sys.argv[1])
    if sys.argv[3] == "small-files":
        resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
    checks = [variant.Subject({}, workdir).operate({"settings": {}}) for variant in (baseline, candidate)]
    print(checks[0] == checks[1])
"""


def _restricted(workdir: Path, how: str) -> str:
    argv = [sys.executable, "-c", textwrap.dedent(RESTRICTED), str(workdir), "start", how]
    return subprocess.run(argv, cwd=FOLDER, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("damage", ["keep", "text"])
def test_a_read_only_cache_is_used_but_not_written(damage: str, pair: Pair) -> None:
    pair.agree(op(project(3)))
    lever.workload.prepare(op(project(6), damage), {}, pair.workdirs[1])
    before = {path: path.read_bytes() for path in pair.cache.parent.iterdir()}
    pair.cache.chmod(0o400)
    pair.cache.parent.chmod(0o500)
    try:
        assert _restricted(pair.workdirs[1], "read-only") == "True"
    finally:
        pair.cache.parent.chmod(0o700)
    assert {path: path.read_bytes() for path in pair.cache.parent.iterdir()} == before


def test_a_disk_that_refuses_to_grow_a_file(pair: Pair) -> None:
    lever.workload.prepare(op(project(200)), {}, pair.workdirs[1])
    assert _restricted(pair.workdirs[1], "small-files") == "True"
    assert pair.agree(op(project(201)))


WRITER = """
    import sys
    from pathlib import Path
    import baseline, candidate
    workdir = Path(sys.argv[1])
    expected = baseline.Subject({}, workdir).operate({"settings": {}})
    subject = candidate.Subject({}, workdir)
    for step in range(20):
        if step % 7 == int(sys.argv[2]):
            (workdir / "cache" / "facts.sqlite3").unlink(missing_ok=True)
        assert subject.operate({"settings": {"cache_rows": 5 + step}}) == expected
"""


def test_many_writers_share_one_cache(pair: Pair) -> None:
    lever.workload.prepare(op(project(40)), {}, pair.workdirs[1])
    argv = [sys.executable, "-c", textwrap.dedent(WRITER), str(pair.workdirs[1])]
    writers = [subprocess.Popen([*argv, str(number)], cwd=FOLDER) for number in range(3)]
    assert [writer.wait(timeout=600) for writer in writers] == [0, 0, 0]
    assert pair.agree(op(project(41)))


# ---- tables, corpus, workload ---------------------------------------------------------------------------


def test_the_analyser_keeps_facts_of_every_module_that_any_table_knows() -> None:
    tables = [lever.compat.load_table(target) for target in lever.compat.TARGETS]
    known = {name for table in tables for name in table if not name.startswith("node:")} - {"globals"}
    assert known <= lever.vocabulary.BUILTINS


def test_node_is_recorded_as_it_is() -> None:
    recorder = lever.record_tables
    modules, version = recorder.enumerate_runtime([str(recorder.node_program())])
    assert modules == lever.compat.load_table(f"node-{recorder.version_number(version)}")


@pytest.mark.parametrize("target", ["node-1.0.0", "../tables/node-24.19.0"])
def test_an_unknown_target_is_refused(target: str) -> None:
    with pytest.raises(ValueError, match="no recorded table"):
        lever.compat.load_table(target)


def test_an_edited_table_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = (FOLDER / "tables" / "node-24.19.0.json").read_text(encoding="utf-8")
    (tmp_path / "node-9.json").write_text(recorded.replace("function/", "class/", 1), encoding="utf-8")
    monkeypatch.setattr(lever.compat, "TABLES", tmp_path)
    with pytest.raises(ValueError, match="not what was recorded"):
        lever.compat.load_table("node-9")


def test_the_pinned_corpus_is_whole_and_evenly_mixed() -> None:
    pinned = lever.corpus.pin()
    assert lever.corpus.total_digest(pinned["modules"]) == pinned["digest"]
    sources = [lever.corpus.source(name) for name in lever.corpus.names(1000)]
    using = [bool(lever.corpus.BUILTIN.search(source)) for source in sources]
    assert [sum(using[:count]) for count in (10, 100, 1000)] == [3, 31, 317]


def test_another_corpus_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    name = lever.corpus.names(1)[0]
    monkeypatch.setattr(lever.corpus, "folder", lambda: tmp_path)
    with pytest.raises(lever.corpus.CorpusError, match="cannot be read"):
        lever.corpus.source(name)
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_bytes(b"drifted")
    with pytest.raises(lever.corpus.CorpusError, match="reinstall"):
        lever.corpus.source(name)


def test_each_operation_changes_its_share_of_the_modules() -> None:
    stream = lever.workload.operations({"modules": 50, "changed_percent": 10}, seed=3)
    edits = [set(operation["edits"].items()) for operation in itertools.islice(stream, 6)]
    assert [len(new - old) for old, new in itertools.pairwise(edits)] == [5] * 5


def test_a_world_depends_on_its_operation_alone(tmp_path: Path) -> None:
    stream = lever.workload.operations({"modules": 30, "changed_percent": 10}, 5)
    *_, last = steps = list(itertools.islice(stream, 5))
    for operation in steps:
        lever.workload.prepare(operation, {}, tmp_path / "slow")
    (tmp_path / "fast").mkdir()
    lever.workload.prepare(last, {}, tmp_path / "fast")
    trees = [{p.relative_to(root): p.read_bytes() for p in root.rglob("project/**/*") if p.is_file()}
             for root in (tmp_path / "slow", tmp_path / "fast")]  # fmt: skip
    assert trees[0] == trees[1]
    assert len(trees[0]) == 30


def test_edits_change_the_text_and_spare_the_syntax() -> None:
    for number, name in enumerate(lever.corpus.names(300)):
        source = lever.corpus.source(name)
        edited = lever.edits.edit(source, name, number)
        assert edited != source
        flags = [lever.analyser.analyse(text, "js")[0] for text in (source, edited)]
        assert ("syntax-error" in flags[0]) == ("syntax-error" in flags[1]), name


@given(st.text("fs=requi('\")({};.\n\\u07x`$[]mpt*", max_size=60).map(str.encode) | st.binary(max_size=60))
def test_the_analyser_takes_any_bytes(source: bytes) -> None:
    for dialect in ("js", "ts", "tsx"):
        facts = lever.analyser.analyse(source, dialect)
        assert json.loads(json.dumps(facts)) == facts


def test_names_of_any_bytes_are_shown_apart_and_found_again() -> None:
    names = [b"\xff.js", b"\\xff.js", "é.js".encode(), b"a\\\\b", bytes(range(1, 256))]
    shown = [lever.project.display_name(name) for name in names]
    assert [lever.project.path_of(name) for name in shown] == names
    assert all(json.loads(json.dumps(name)).encode() for name in shown)


@pytest.mark.parametrize("variant", ["baseline", "candidate"])
def test_a_variant_loads_neither_the_other_nor_the_product(variant: str) -> None:
    other = {"baseline": "candidate", "candidate": "baseline"}[variant]
    assert not {other, "prfpipe", "workload"} & _loaded_by(variant)
