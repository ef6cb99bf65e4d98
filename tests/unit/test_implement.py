"""What the candidate changes: found, shown, and refused where it leaves the declared optimized path."""

from pathlib import Path

import pytest

from prfpipe.errors import LeverError, SubjectCrashError
from prfpipe.implement import MAX_DIFF_BYTES, diff, loaded_files, make_tree
from prfpipe.models import TreeRecord
from prfpipe.subject.variants import tree_digest
from tests.support.levers import BASELINE, CANDIDATE, spec_of, write_lever

HELPED = "import helper\n" + CANDIDATE


def tree_of(folder: Path) -> TreeRecord:
    spec = spec_of(folder)
    loaded = loaded_files(spec, folder, folder.parent, seed=1, timeout=120.0)
    return make_tree(spec, folder, folder.parent / "tree", loaded)


def diff_of(folder: Path) -> str:
    return diff(spec_of(folder), folder.parent / "tree", tree_of(folder).changed_files)


def test_the_tree_is_a_private_copy_with_a_digest(tmp_path: Path) -> None:
    folder = write_lever(tmp_path / "lever")
    record = tree_of(folder)
    (folder / "candidate.py").write_text("changed later\n")
    assert record.changed_files == ("candidate.py",)
    assert record.outside_path == ()
    assert record.digest == tree_digest(tmp_path / "tree") != tree_digest(folder)


def test_a_file_that_both_variants_load_is_no_change(tmp_path: Path) -> None:
    shared = {"helper.py": "FAST = True\n"}
    folder = write_lever(tmp_path / "lever", candidate=HELPED, baseline="import helper\n" + BASELINE, files=shared)
    assert tree_of(folder).changed_files == ("candidate.py",)


def test_a_change_outside_the_optimized_path_is_refused_and_named(tmp_path: Path) -> None:
    folder = write_lever(tmp_path / "lever", candidate=HELPED, files={"helper.py": "FAST = True\n"})
    with pytest.raises(LeverError, match=r"outside its optimized path: helper\.py") as caught:
        tree_of(folder)
    assert "One lever a cycle" in caught.value.hint


def test_a_file_that_an_operation_loads_is_found(tmp_path: Path) -> None:
    late = CANDIDATE.replace("        self.answered += 1\n", "        self.answered += 1\n        import helper\n")
    folder = write_lever(tmp_path / "lever", candidate=late, files={"helper.py": ""})
    with pytest.raises(LeverError, match=r"helper\.py"):
        tree_of(folder)


def test_a_declared_helper_is_part_of_the_lever_and_of_its_diff(tmp_path: Path) -> None:
    folder = write_lever(
        tmp_path / "lever",
        candidate=HELPED,
        files={"helper.py": "FAST = True\n"},
        optimized_path=["candidate.py", "./helper.py"],
    )
    shown = diff_of(folder)
    assert "--- a/baseline.py\n+++ b/candidate.py\n" in shown
    assert "--- /dev/null\n+++ b/helper.py\n@@ -0,0 +1 @@\n+FAST = True\n" in shown


def test_a_change_in_an_argument_of_a_command_outside_the_path_is_refused(tmp_path: Path) -> None:
    folder = write_lever(
        tmp_path / "lever",
        files={"a.js": "1\n", "b.js": "2\n"},
        variants={"baseline": {"command": ["node", "a.js"]}, "candidate": {"command": ["node", "./b.js"]}},
    )
    with pytest.raises(LeverError, match=r"b\.js"):
        make_tree(spec_of(folder), folder, tmp_path / "tree", {})


def test_the_same_file_as_both_variants_changes_nothing(tmp_path: Path) -> None:
    same = {"python": "candidate.py"}
    folder = write_lever(tmp_path / "lever", variants={"baseline": same, "candidate": same})
    assert tree_of(folder).changed_files == ()
    assert diff_of(folder) == ""


def test_a_diff_can_be_applied_where_a_last_line_has_no_newline(tmp_path: Path) -> None:
    folder = write_lever(tmp_path / "lever", candidate=CANDIDATE.rstrip("\n"))
    assert diff_of(folder).endswith("\\ No newline at end of file\n")


def test_a_long_diff_is_cut_and_says_so(tmp_path: Path) -> None:
    folder = write_lever(tmp_path / "lever", candidate=CANDIDATE + "# long\n" * MAX_DIFF_BYTES)
    shown = diff_of(folder)
    assert len(shown) < MAX_DIFF_BYTES + 200
    assert "cut here" in shown.splitlines()[-1]


def test_a_file_that_is_no_text_is_only_named(tmp_path: Path) -> None:
    folder = write_lever(
        tmp_path / "lever",
        files={"old.bin": "\0old", "new.bin": "\0new"},
        optimized_path=["new.bin"],
        variants={"baseline": {"command": ["cat", "old.bin"]}, "candidate": {"command": ["cat", "new.bin"]}},
    )
    record = make_tree(spec_of(folder), folder, tmp_path / "tree", {})
    assert record.changed_files == ("new.bin",)
    assert diff(spec_of(folder), tmp_path / "tree", record.changed_files) == "Binary file new.bin differs\n"


def test_a_variant_that_cannot_be_loaded_is_a_crash(tmp_path: Path) -> None:
    with pytest.raises(SubjectCrashError, match="no_such_module"):
        tree_of(write_lever(tmp_path / "lever", candidate="import no_such_module\n"))


@pytest.mark.parametrize(
    "how", ["open({}).read()", "__import__('os').open({}, 0)", "__import__('pathlib').Path({}).read_text()"]
)
def test_a_file_of_data_that_only_the_candidate_opens_is_a_change_too(tmp_path: Path, how: str) -> None:
    read = how.format("__file__.replace('candidate.py', 'table.txt')")
    folder = write_lever(tmp_path / "lever", candidate=f"TABLE = {read}\n{CANDIDATE}", files={"table.txt": "fast"})
    with pytest.raises(LeverError, match=r"outside its optimized path: table\.txt"):
        tree_of(folder)


SLEEPY = "import time\n" + BASELINE.replace("        counts = {}\n", "        time.sleep(0.001)\n        counts = {}\n")


def test_a_baseline_that_waits_on_purpose_is_refused_and_the_line_is_named(tmp_path: Path) -> None:
    folder = write_lever(tmp_path / "lever", baseline=SLEEPY)
    with pytest.raises(
        LeverError, match=r"baseline\.py:8: the baseline waits on purpose \(time\.sleep\(\)\)"
    ) as caught:
        tree_of(folder)
    assert "baseline.py:operate" in caught.value.hint


def test_a_baseline_that_waits_is_also_refused_where_the_candidate_imports_it(tmp_path: Path) -> None:
    folder = write_lever(tmp_path / "lever", baseline=SLEEPY, candidate="import baseline\n\n" + CANDIDATE)
    with pytest.raises(LeverError, match="waits on purpose"):
        tree_of(folder)


def test_a_wait_that_is_the_declared_target_is_what_the_lever_is_about(tmp_path: Path) -> None:
    folder = write_lever(tmp_path / "lever", baseline=SLEEPY, targets=["baseline.py:operate"])
    assert tree_of(folder).outside_path == ()
