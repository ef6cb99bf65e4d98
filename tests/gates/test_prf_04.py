"""PRF-04: the diff's answers are LEV-01's, however they were come by; and the gate cannot pass on anything else."""

import dataclasses
import errno
import importlib
import itertools
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gates.runtime import levers
from prfpipe import doctrine
from prfpipe.errors import GateError
from prfpipe.gates import diff
from prfpipe.gates.diff import open_measurement
from prfpipe.gates.spec import Gate, load_gate
from prfpipe.models import GateReport
from tests.support.gate_copies import GATES
from tests.support.gate_runs import answer_of, context_of, failure_of, gate_of, report_of

# The processes of these tests have threads where tests run in parallel; the subject's own have none.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

FOLDER = GATES / "prf_04_diff"
RUNTIMES = ["node-24.19.0", "deno-2.9.8"]
COUNTS = {"cold": 100, "incremental": 10}

lever = levers.load("lev_01_compat_cache", "analyser", "corpus", "edits", "workload")


def _load() -> SimpleNamespace:
    """The gate's modules, imported as its processes import them and then forgotten: others have a `subject` too."""
    names, before = [path.stem for path in FOLDER.glob("*.py")], list(sys.path)
    sys.path.insert(0, str(FOLDER))
    try:
        return SimpleNamespace(**{name: importlib.import_module(name) for name in names})
    finally:
        sys.path[:] = before
        for name in names:
            sys.modules.pop(name, None)


own = _load()
CORPUS = {name: lever.corpus.source(name) for name in lever.corpus.names(1000)}


# ---- facts by words are facts by the query -----------------------------------------------------------------


def same_facts(source: bytes, dialect: str) -> bool:
    found = own.loads.analyse(source, dialect, own.prefilter.globals_in(source))
    return bool(found == lever.analyser.analyse(source, dialect))


def test_facts_of_every_module_of_the_corpus_are_the_analysers() -> None:
    assert [name for name, source in CORPUS.items() if not same_facts(source, "js")] == []


def test_facts_of_edited_modules_are_the_analysers() -> None:
    edited = {name: lever.edits.edit(CORPUS[name], name, 7) for name in list(CORPUS)[:200]}
    assert [name for name, source in edited.items() if not same_facts(source, "js")] == []


def files_of(operations: list[dict[str, Any]]) -> list[bytes]:
    texts = [text for operation in operations for text in operation.get("files", {}).values()]
    return [text.encode() for text in texts if isinstance(text, str)]


@pytest.mark.parametrize("dialect", ["js", "ts", "tsx"])
def test_facts_of_the_levers_own_cases_are_the_analysers(dialect: str) -> None:
    cases = [operations for _, operations in lever.workload.edge_cases({})]
    written = (levers.LEVERS / "lev_01_compat_cache" / "conformance").glob("*.json")
    cases += [json.loads(path.read_bytes())["operations"] for path in written]
    sources = [source for operations in cases for source in files_of(operations)]
    assert len(sources) > 50
    assert [source for source in sources if not same_facts(source, dialect)] == []


PIECES = [
    b"require", b"import", b"export", b"from", b"(", b")", b"{", b"}", b";", b",", b"=", b".", b"...", b"`", b"${",
    b'"fs"', b"'node:path'", b'"./a"', b'"\\x66s"', b"fs", b"x", b"const ", b"var ", b"default ", b"await ", b"type ",
    b"* as x ", b"=> ", b"function ", b"/*c*/", b"//c\n", b"\n", b" ", b"?.", b"!", b"<x>", b"@d ", b"process", b"eval",
    b"createRequire", b"const {readFile} = require('fs')", b"import x = require('fs')", b"export * from 'os'",
    b"require('./a')", b"import('node:vm')", b"typeof import('fs')", b"\xff", "é".encode(),
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map(b"".join), st.sampled_from(["js", "ts", "tsx"]))
def test_facts_of_any_text_are_the_analysers(source: bytes, dialect: str) -> None:
    assert same_facts(source, dialect)


@pytest.mark.parametrize(
    "source",
    [
        "x = \"require('\" + require(y) + \"')\"", "x = 'require(' + require('./a' + y) + ')'",
        "require('./a', require(y))",
        "require('./a') + require('fs').x", "function f(require) { require('./a'); require('fs') }", "require('./a'",
        "const require = createRequire(u); require('./a'); require('fs')", "`${require('./a')}${require('fs').x}`",
    ],
)  # fmt: skip
def test_what_loads_no_builtin_hides_nothing_that_does(source: str) -> None:
    assert same_facts(source.encode(), "js")


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([name for name in CORPUS if len(CORPUS[name]) < 8000]), st.data())
def test_facts_of_a_module_with_a_hole_are_the_analysers(name: str, data: st.DataObject) -> None:
    source = CORPUS[name]
    start = data.draw(st.integers(0, len(source)))
    hole = data.draw(st.integers(1, 200))
    assert same_facts(source[:start] + source[start + hole :], "js")


# ---- what is not parsed uses nothing ---------------------------------------------------------------------------


def is_sound(source: bytes, dialect: str) -> bool:
    """Parsed, or without uses; without flags as well, unless its syntax is wrong."""
    if not own.prefilter.can_use_nothing(source):
        return bool(own.loads.facts_of(source, dialect) == lever.analyser.analyse(source, dialect))
    flags, uses = lever.analyser.analyse(source, dialect)
    return not uses and (not flags or "syntax-error" in flags)


def test_what_is_not_parsed_of_the_corpus_uses_nothing() -> None:
    skipped = [name for name, source in CORPUS.items() if own.prefilter.can_use_nothing(source)]
    assert len(skipped) > 400
    assert [name for name in skipped if lever.analyser.analyse(CORPUS[name], "js") != [[], []]] == []


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join), st.sampled_from(["js", "ts", "tsx"]))
def test_what_is_not_parsed_of_any_text_uses_nothing(source: bytes, dialect: str) -> None:
    assert is_sound(source, dialect)


BENIGN = [piece for piece in PIECES if own.prefilter.can_use_nothing(piece)] + [b"'fa'", b"'\n'", b"require('./a')"]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(BENIGN), max_size=12).map(b"".join), st.sampled_from(["js", "ts", "tsx"]))
def test_what_is_not_parsed_of_text_without_builtins_uses_nothing(source: bytes, dialect: str) -> None:
    assert is_sound(source, dialect)


@pytest.mark.parametrize(
    "source",
    [
        "require('fs')", 'import "node:anything"', "import(`os`)", "export * from 'path'", "process.exit()",
        "require('\\x66s')", "require('f\\u0073')", "require('f\\\ns')", "import('\\146s')", "import a from '\\os'",
        "require(x)", "require()", "require (x)", "require?.(x)", "require/**/(x)", "import(/**/x)", "require('a' + x)",
        "require\u00a0(x)", "const y = {fetch}", "eval(x)", "new Function", "globalThis['x']", "`${require(x)}`",
    ],
)  # fmt: skip
def test_what_may_use_something_is_parsed(source: str) -> None:
    assert not own.prefilter.can_use_nothing(source.encode())
    assert is_sound(source.encode(), "js")


@pytest.mark.parametrize(
    "source",
    ["require('./a')", "import a from 'pacote'", "export * from './fs'", "import.meta.url", "'\\n'", "preprocessor(x)"],
)
def test_what_uses_nothing_is_not_parsed(source: str) -> None:
    assert own.loads.facts_of(source.encode(), "js") == [["not-parsed"], []]


def test_what_is_no_utf8_is_parsed_and_flagged() -> None:
    assert own.loads.facts_of(b"x = '\xff'", "js") == [["not-utf8"], []]


def test_facts_of_other_code_are_never_read() -> None:
    others = levers.load("lev_01_compat_cache", "candidate").candidate.Keys()
    assert own.subject.Keys().key(b"x", "js") != others.key(b"x", "js")
    assert own.subject.Keys().key(b"x", "js") != own.subject.Keys().key(b"x", "ts")


def test_a_key_names_all_code_that_makes_facts_here(monkeypatch: pytest.MonkeyPatch) -> None:
    before = own.subject.Keys().key(b"x", "js")
    monkeypatch.setattr(own.subject, "SOURCES", ("loads.py",))
    assert own.subject.Keys().key(b"x", "js") != before


# ---- work is shared, and none of it is lost ------------------------------------------------------------------


@pytest.mark.parametrize("processes", [1, 2, 4])
@pytest.mark.parametrize("count", [0, 1, 7, 2500])
def test_shared_work_is_answered_in_order(count: int, processes: int) -> None:
    assert own.sharing.share(count, lambda index: [index, "x" * 99], processes) == [
        [index, "x" * 99] for index in range(count)
    ]


def test_what_a_killed_helper_had_taken_is_done_here() -> None:
    parent = os.getpid()

    def work(index: int) -> int:
        if os.getpid() != parent and index > 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return index

    assert own.sharing.share(50, work, 3) == list(range(50))


def test_what_a_helper_could_not_do_is_done_here() -> None:
    parent = os.getpid()

    def work(index: int) -> int:
        if os.getpid() != parent:
            raise RuntimeError("only the helper fails")
        return index

    assert own.sharing.share(50, work, 2) == list(range(50))


def left_behind() -> tuple[str, int]:
    """The children of this process, zombies too, and how many files it has open."""
    return Path("/proc/thread-self/children").read_text(), len(list(Path("/proc/self/fd").iterdir()))


def test_what_cannot_be_done_anywhere_is_an_error_and_leaves_no_helper() -> None:
    def work(index: int) -> int:
        raise ValueError(index)

    before = left_behind()
    with pytest.raises(ValueError, match=r"\d"):
        own.sharing.share(50, work, 3)
    assert left_behind() == before


def test_sharing_leaves_no_process_and_no_open_file() -> None:
    before = left_behind()
    own.sharing.share(300, str, 3)
    assert left_behind() == before


def test_where_no_helper_can_be_forked_the_work_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise OSError(errno.EAGAIN, "no more processes")

    monkeypatch.setattr(os, "fork", refuse)
    assert own.sharing.share(5, str, 3) == ["0", "1", "2", "3", "4"]


def test_one_cpu_has_no_helpers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
    assert own.sharing.cpus() == 1
    monkeypatch.delattr(os, "fork")
    assert own.sharing.cpus() == 1


# ---- the subject's diff is the reference's --------------------------------------------------------------------


class Pair:
    """The subject and the reference on the same project."""

    def __init__(self, workdir: Path, cpus: int) -> None:
        self.workdir = workdir
        self.subject = own.subject.Subject({}, workdir)
        self.subject._cpus = cpus
        self.reference = own.reference.Subject({}, workdir)

    def agree(self, operation: Mapping[str, Any]) -> bool:
        lever.workload.prepare(operation, {}, self.workdir)
        one, other = (json.dumps(each.operate(operation)) for each in (self.subject, self.reference))
        return one == other


@pytest.mark.parametrize("name", [name for name, _ in lever.workload.edge_cases({})])
def test_a_diff_is_the_references_whatever_befell_files_and_cache(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own.subject, "ALONE_BYTES", 0)
    pair = Pair(tmp_path, cpus=2)
    for operation in dict(lever.workload.edge_cases({}))[name]:
        assert pair.agree(operation)


@pytest.mark.parametrize("cpus", [1, 2, 3])
@pytest.mark.parametrize("cold", [True, False])
def test_a_diff_of_a_project_is_the_references(tmp_path: Path, cold: bool, cpus: int) -> None:
    changed = COUNTS["cold" if cold else "incremental"]
    params = {"modules": 60, "changed_percent": changed, "cold": cold, "runtimes": RUNTIMES}
    pair = Pair(tmp_path, cpus)
    for operation in itertools.islice(own.world.operations(params, 5), 3):
        assert pair.agree(operation)


def test_a_cold_diff_leaves_the_cache_that_the_next_one_uses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = {"modules": 60, "changed_percent": 10, "cold": False, "runtimes": RUNTIMES}
    first, then = itertools.islice(own.world.operations(params, 5), 2)
    pair = Pair(tmp_path, cpus=2)
    assert pair.agree(first)
    analysed: list[int] = []
    real = own.sharing.share
    monkeypatch.setattr(own.sharing, "share", lambda count, *rest: analysed.append(count) or real(count, *rest))
    assert pair.agree(then)
    assert analysed == [6]


def test_a_diff_tells_what_is_missing_and_nothing_that_is_the_same(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "a.js").write_text("const fs = require('fs')\nfs.readFileSync('x')\nfs.nowhere()\n")
    found = own.subject.Subject({}, tmp_path).operate({"settings": {"targets": RUNTIMES}})
    missing = [3, "fs", "nowhere", "core", "missing:" + ",".join(RUNTIMES), "error"]
    assert found == {"runtimes": RUNTIMES, "files": 1, "modules": [["a.js", [], [missing]]]}


# ---- the gate -------------------------------------------------------------------------------------------------

WORLD = """
from pathlib import Path
def operations(params, seed):
    yield from ({"number": number, "seed": seed} for number in range(10**9))
def prepare(operation, params, workdir):
    (workdir / "state").write_text(str(operation["number"]))
"""
RIGHT = """
class Subject:
    def __init__(self, params, workdir):
        self.state = workdir / "state"
    def operate(self, operation):
        return {"state": self.state.read_text()}
    def close(self):
        pass
"""
SLOW = RIGHT.replace("        return", "        import time; time.sleep(0.004)\n        return")


def small(tmp_path: Path, params: Mapping[str, Any] | None = None, budget: float = 60_000.0, **files: str) -> Gate:
    """A gate with one case, whose diffs are right and quick; `params` and `files` replace its own."""
    own_files = {"subject.py": RIGHT, "reference.py": RIGHT, "world.py": WORLD}
    given_files = {f"{name}.py": text for name, text in files.items()}
    own_params = {"world": "world.py", "reference": "reference.py", "cases": {"cold-1": {}}, "session": 200}
    return gate_of(
        tmp_path / "gate",
        {**own_files, **given_files},
        {"cold-1": budget},
        id="PRF-04",
        params={**own_params, **(params or {})},
    )


def test_every_case_has_the_doctrines_budget_in_every_profile() -> None:
    (principle,) = [each for each in doctrine.PRINCIPLES if each.id == "PRF-04"]
    spec = load_gate(FOLDER).spec
    assert {limit for budgets in spec.budgets.values() for limit in budgets.values()} == {principle.budget}
    sizes = {f"{kind}-{size}" for kind in COUNTS for size in (10, 100, 1000)}
    assert set(spec.params["cases"]) == sizes
    assert all(set(budgets) == sizes for budgets in spec.budgets.values())
    for name, case in spec.params["cases"].items():
        kind, _, size = name.partition("-")
        assert (case["modules"], case["changed_percent"], case["cold"]) == (int(size), COUNTS[kind], kind == "cold")


def test_the_real_subject_is_measured_and_its_answers_compared(tmp_path: Path) -> None:
    gate = load_gate(FOLDER)
    names = ("cold-10", "incremental-10")
    cases = {name: gate.spec.params["cases"][name] for name in names}
    params = {**gate.spec.params, "cases": cases, "session": 3, "verify_every": 1}
    gate = dataclasses.replace(gate, spec=gate.spec.model_copy(update={"params": params}))
    with open_measurement(context_of(gate, tmp_path)) as measured:
        measured.take(4, set(names))
        assert {name: len(found) for name, found in measured.samples().items()} == dict.fromkeys(names, 4)
        assert measured.verified == dict.fromkeys(names, 4 + 2)
        assert {name: len(found) for name, found in measured.also().items()} == {f"first/{name}": 2 for name in names}


def test_quick_and_right_diffs_pass(tmp_path: Path) -> None:
    code, report = answer_of(small(tmp_path), tmp_path, samples=370)
    assert isinstance(report, GateReport)
    assert (code, report.state) == (0, "pass")
    assert report.checks[0].decided_on == 370


def test_a_subject_made_slow_turns_the_gate_red_and_shows_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diff, "PROFILED_S", 0.3)
    code, report = answer_of(small(tmp_path, subject=SLOW, budget=1.0), tmp_path, samples=100)
    assert code == 1
    assert isinstance(report, GateReport)
    (flamegraph,) = (tmp_path / "reports").rglob(report.checks[0].flamegraph)
    assert "operate" in flamegraph.read_text()


def test_too_few_diffs_leave_the_gate_open(tmp_path: Path) -> None:
    code, report = answer_of(small(tmp_path), tmp_path, samples=20)
    assert isinstance(report, GateReport)
    assert (code, report.state) == (3, "undecided")


def test_a_wrong_diff_is_found_out(tmp_path: Path) -> None:
    gate = small(tmp_path, subject=RIGHT.replace("read_text()", "read_text() + ' '"))
    assert "gave a wrong diff in cold-1" in failure_of(gate, tmp_path, samples=1).message


def test_a_subject_that_answers_by_heart_is_found_out(tmp_path: Path) -> None:
    by_heart = RIGHT.replace("return {", "self.known = getattr(self, 'known', None) or {").replace(
        "read_text()}", "read_text()}; return self.known"
    )
    assert "gave a wrong diff" in failure_of(small(tmp_path, subject=by_heart), tmp_path, samples=1).message


def test_a_state_that_comes_again_is_refused(tmp_path: Path) -> None:
    again = WORLD.replace('{"number": number, "seed": seed}', '{"number": number % 2}')
    assert "came again" in failure_of(small(tmp_path, world=again), tmp_path, samples=1).message


def test_a_corpus_that_is_gone_is_no_answer(tmp_path: Path) -> None:
    gone = WORLD.replace("    (workdir", "    raise OSError('corpus file a.js cannot be read')\n    (workdir")
    assert "corpus file a.js cannot be read" in failure_of(small(tmp_path, world=gone), tmp_path, samples=1).message


def test_an_engine_that_is_not_installed_is_no_answer(tmp_path: Path) -> None:
    gate = load_gate(FOLDER)
    gate = dataclasses.replace(gate, spec=gate.spec.model_copy(update={"requires": ("tree-sitter==0.0.1",)}))
    assert "tree-sitter==0.0.1" in failure_of(gate, tmp_path, samples=1).message


def test_a_missing_subject_is_no_answer(tmp_path: Path) -> None:
    gate = small(tmp_path)
    (gate.root / "subject.py").unlink()
    assert "subject of PRF-04 is missing" in failure_of(gate, tmp_path, samples=1).message


def test_a_case_without_a_budget_is_no_answer(tmp_path: Path) -> None:
    gate = small(tmp_path, {"cases": {"cold-1": {}, "cold-2": {}}})
    assert "cold-2" in failure_of(gate, tmp_path, samples=1).message


def test_a_budget_without_its_case_is_no_answer(tmp_path: Path) -> None:
    gate = small(tmp_path, {"cases": {"cold-2": {}}})
    assert "cold-1" in failure_of(gate, tmp_path, samples=1).message


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"cases": {}}, "params.cases"),
        ({"reference": "gone.py"}, "params.reference"),
        ({"world": "../world.py"}, "params.world"),
        ({"session": 0}, "params.session"),
        ({"sesion": 5}, "params.sesion"),
    ],
)
def test_params_that_cannot_be_are_told_by_their_key(tmp_path: Path, params: dict[str, Any], message: str) -> None:
    gate = small(tmp_path, params)
    with pytest.raises(GateError, match=message):
        report_of(gate, tmp_path, samples=1)


def test_a_program_is_no_subject_of_a_diff(tmp_path: Path) -> None:
    gate = small(tmp_path)
    gate = dataclasses.replace(
        gate, spec=type(gate.spec).model_validate({**gate.spec.model_dump(), "subject": {"command": ("true",)}})
    )
    with pytest.raises(GateError, match="Python subject"):
        report_of(gate, tmp_path, samples=1)
