"""Trees of a lever, and its workload as a process of its own."""

import os
from pathlib import Path

import pytest

from prfpipe.errors import PrfpipeError, SubjectCrashError, SubjectProtocolError
from prfpipe.subject.process import Workload
from prfpipe.subject.variants import copy_tree, source_files
from tests.support.levers import WORKLOAD, write_lever
from tests.support.subjects import workload

# ---- trees ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["link", "dangling link", "link to a folder", "pipe"])
def test_a_tree_with_anything_but_plain_files_is_refused(tmp_path: Path, kind: str) -> None:
    folder = write_lever(tmp_path / "lever")
    odd = folder / "odd"
    targets = {"link": "baseline.py", "dangling link": "nothing", "link to a folder": "conformance"}
    odd.symlink_to(targets[kind]) if kind in targets else os.mkfifo(odd)
    with pytest.raises(PrfpipeError, match="odd is not a regular file"):
        source_files(folder)


def test_a_copy_holds_the_same_files_and_nothing_that_was_generated(tmp_path: Path) -> None:
    folder = write_lever(tmp_path / "lever", files={"__pycache__/x.pyc": "", ".git/config": ""})
    assert copy_tree(folder, tmp_path / "copy") == source_files(folder)
    assert not (tmp_path / "copy" / ".git").exists()


# ---- workloads ------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_operations_and_another_one_others(tmp_path: Path) -> None:
    with workload(tmp_path) as child:
        streams = []
        for seed in (1, 1, 2):
            child.stream(seed)
            streams.append([*child.next(2), *child.next(3)])
    assert streams[0] == streams[1] != streams[2]


@pytest.mark.parametrize(
    ("edit", "error", "message"),
    [
        (("while True:", "if True:"), SubjectProtocolError, r"operations\(\) ended after 1 of 2"),
        (("while True:", "raise KeyError('x')\n    while True:"), SubjectCrashError, "failed in operations: KeyError"),
        ((".encode()", ""), SubjectCrashError, r"canonical\(\) must return bytes"),
        (("def canonical", "def other"), SubjectCrashError, "failed in canonical: AttributeError"),
        (("def operations", "def other"), SubjectCrashError, "failed in operations: AttributeError"),
        (("import json\n", "import json, nothing_here\n"), SubjectCrashError, "failed in import: ModuleNotFoundError"),
    ],
)
def test_a_workload_that_fails_says_where(
    tmp_path: Path, edit: tuple[str, str], error: type[PrfpipeError], message: str
) -> None:
    def use(child: Workload) -> None:
        child.stream(1)
        child.next(2)
        child.digests([{}])

    def go() -> None:
        with workload(tmp_path, WORKLOAD.replace(*edit)) as child:
            use(child)

    with pytest.raises(error, match=f"LEV-TEST workload.*{message}"):
        go()


def test_prepare_is_called_only_where_there_is_one(tmp_path: Path) -> None:
    with workload(tmp_path) as child:
        assert child.prepare({"words": []}, tmp_path)
        assert not child.prepares
    (tmp_path / "two").mkdir()
    prepares = (
        WORKLOAD + "\n\ndef prepare(operation, params, workdir):\n    (workdir / operation).write_text(str(params))\n"
    )
    with workload(tmp_path / "two", prepares) as child:
        assert not child.prepare("made", tmp_path)
        child.prepare("other", tmp_path, {"words": 9})
    assert (tmp_path / "made").read_text() == "{'words': 3}"
    assert (tmp_path / "other").read_text() == "{'words': 9}"
