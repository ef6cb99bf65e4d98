"""What a subject cannot touch, where the kernel has the means; where it has not, the plan's host record says so."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from prfpipe import host
from prfpipe.host import landlock_abi
from prfpipe.subject.process import Subject
from prfpipe.subject.variants import subject_launch
from tests.support.levers import spec_of, write_lever
from tests.support.subjects import TIMEOUT, answer, code, running

TRY = """\
    def tried(act):
        try:
            act()
        except OSError as error:
            return type(error).__name__
        return "done"
"""
CONFINED = landlock_abi() > 0
REFUSED = "PermissionError" if CONFINED else "done"


def attempt(action: str) -> str:
    """A subject that tries to do something and answers what came of it."""
    top = "from pathlib import Path\nclass Trying:\n    @staticmethod\n" + TRY
    return code(f"return Trying.tried(lambda: {action})", top=top)


@contextmanager
def confined(tmp_path: Path, source: str, hidden: Path) -> Iterator[Subject]:
    """A subject that may not read `hidden`; its tree and its working folder lie in it."""
    folder, workdir = write_lever(hidden / "tree", candidate=source), hidden / "work"
    workdir.mkdir(exist_ok=True)
    launch = subject_launch(spec_of(folder), "candidate", folder, workdir, timeout=TIMEOUT)
    # The inner one must not open the way to its neighbours.
    with Subject(launch.confined(hidden=(hidden, workdir, Path("~/.not-there")))) as subject:
        subject.hello({}, workdir)
        yield subject


def told(subject: Subject) -> object:
    [found] = subject.results_of(subject.run([None]))
    subject.close()
    return found


@pytest.mark.parametrize(
    "action",
    [
        "Path(__file__).write_text('')",
        "Path(__file__).with_name('new.py').write_text('')",
        "Path(__file__).unlink()",
        "self.workdir.with_name('beside').mkdir()",
        "self.workdir.with_name('link').symlink_to('/')",
        "os.truncate(__file__, 0)",
        "os.rename(__file__, __file__ + '.old')",
        "Path('/dev/shm/prfpipe-test').write_text('')",
        "os.unlink('/dev/shm/prfpipe-test')",
    ],
)
def test_a_subject_changes_nothing_outside_of_its_working_folder(tmp_path: Path, action: str) -> None:
    assert answer(tmp_path, attempt(action)) in {REFUSED, "FileNotFoundError" if "unlink" in action else REFUSED}


@pytest.mark.parametrize(
    "action",
    [
        "(self.workdir / 'a' / 'b').mkdir(parents=True)",
        "Path.home().joinpath('x').write_text('x')",
        "Path(os.environ['TMPDIR'], 'x').write_text('x')",
        "Path('/dev/null').write_text('x')",
        "Path(sys.executable).read_bytes()",
    ],
)
def test_its_own_folder_is_its_own_and_the_machine_can_be_read(tmp_path: Path, action: str) -> None:
    assert answer(tmp_path, attempt(action)) == "done"


@pytest.mark.parametrize("name", ["plan.json", "other-work/answer"])
def test_what_is_hidden_cannot_be_read(tmp_path: Path, name: str) -> None:
    secret = tmp_path / "run" / name
    secret.parent.mkdir(parents=True)
    secret.write_text("7")
    with confined(tmp_path, attempt(f"Path({str(secret)!r}).read_text()"), tmp_path / "run") as subject:
        assert told(subject) == REFUSED


def test_beside_what_is_hidden_everything_else_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "neighbour").write_text("here")
    source = code(f"return [open({str(tmp_path / 'neighbour')!r}).read(), len(open(__file__).read()) > 0]")
    with confined(tmp_path, source, tmp_path / "run") as subject:
        assert told(subject) == ["here", True]


def test_a_working_folder_that_is_made_anew_is_again_the_subjects_own(tmp_path: Path) -> None:
    source = code("found = os.listdir('.')\nopen('x', 'w').write('x')\nreturn found")
    for _ in range(2):
        with confined(tmp_path, source, tmp_path / "run") as subject:
            assert told(subject) == []
        (tmp_path / "run" / "work" / "x").unlink()
        (tmp_path / "run" / "work").rmdir()


@pytest.mark.parametrize(
    "action", ["Path(f'/proc/{os.getppid()}/mem').open('rb')", "os.readlink(f'/proc/{os.getppid()}/cwd')"]
)
def test_a_subject_cannot_look_into_the_process_that_measures_it(tmp_path: Path, action: str) -> None:
    assert answer(tmp_path, attempt(action)) == REFUSED


def test_a_subject_sends_no_signals_out_of_its_sandbox(tmp_path: Path) -> None:
    refused = landlock_abi() >= 6
    assert answer(tmp_path, attempt("os.kill(os.getppid(), 0)")) == ("PermissionError" if refused else "done")


def test_the_parent_itself_stays_free(tmp_path: Path) -> None:
    with running(tmp_path, code("return 0")) as subject:
        (tmp_path / "parent").write_text("still writes")
        os.kill(subject.pid, 0)
        subject.close()


def test_a_refusal_says_what_may_be_written_and_how_to_do_without(tmp_path: Path) -> None:
    source = code("raise PermissionError(13, 'Permission denied')")
    with pytest.raises(Exception, match="failed in operate: PermissionError") as caught:
        answer(tmp_path, source)
    assert "PRFPIPE_SANDBOX=off" in getattr(caught.value, "hint", "")


def test_without_the_sandbox_nothing_is_refused_and_the_host_record_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRFPIPE_SANDBOX", "off")
    assert answer(tmp_path, attempt("self.workdir.with_name('beside').mkdir()")) == "done"
    assert host.fingerprint().landlock == 0
