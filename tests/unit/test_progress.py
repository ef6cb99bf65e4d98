"""What long work says: one line written over on a terminal, a line now and then elsewhere, nothing when silent."""

import io

import pytest

from prfpipe.progress import Lines, Silent, Terminal


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("done", "remaining", "line"),
    [
        (None, None, "re-profile: x"),
        (0.256, None, "re-profile: x   26%"),
        (1.7, -3.0, "re-profile: x  100%  about 0 s left"),
        (0.0, 61.4, "re-profile: x    0%  about 61 s left"),
    ],
)
def test_a_line_says_what_how_far_and_how_long(done: float | None, remaining: float | None, line: str) -> None:
    screen = Screen()
    Terminal(screen).say("re-profile: x", done=done, remaining=remaining)
    assert screen.getvalue() == f"\r\x1b[K{line}"


def test_a_terminals_line_is_written_over_and_ended_once() -> None:
    screen, file = Screen(), io.StringIO()
    terminal = Terminal(screen)
    terminal.say("a")
    terminal.say("b")
    terminal.finish()
    terminal.finish()
    assert screen.getvalue() == "\r\x1b[Ka\r\x1b[Kb\n"
    Terminal(file).finish()
    assert file.getvalue() == ""


def test_a_file_gets_whole_lines_without_escapes_one_a_stage_at_least() -> None:
    file = io.StringIO()
    log = Terminal(file, every=3600)
    for text in ("baseline: a", "baseline: b", "profile: a", "profile: a"):
        log.say(text)
    log.finish()
    assert file.getvalue() == "baseline: a\nprofile: a\n"


def test_without_a_pause_every_text_is_a_line() -> None:
    found: list[str] = []
    lines = Lines(found.append, every=0)
    for done in (0.1, 0.2):
        lines.say("prove: x", done=done)
    lines.finish()
    assert found == ["prove: x   10%", "prove: x   20%"]


def test_silence(capsys: pytest.CaptureFixture[str]) -> None:
    Silent().say("anything", done=0.5)
    Silent().finish()
    assert capsys.readouterr() == ("", "")


def test_progress_goes_to_stderr_so_that_json_on_stdout_stays_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().say("plan: probing")
    assert capsys.readouterr() == ("", "plan: probing\n")
