"""What long work says: one line that is written over on a terminal, few lines elsewhere."""

import io

from prfpipe.progress import Lines, Terminal


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_come_at_most_once_in_a_while() -> None:
    lines: list[str] = []
    progress = Lines(lines.append, every=3600)
    for done in range(50):
        progress.say(f"baseline: invocation {done}", done=done / 50)
    assert lines == ["baseline: invocation 0    0%"]


def test_a_new_stage_is_told_at_once() -> None:
    lines: list[str] = []
    progress = Lines(lines.append, every=3600)
    for stage in ("plan", "baseline", "baseline", "archive"):
        progress.say(f"{stage}: at work")
    assert lines == ["plan: at work", "baseline: at work", "archive: at work"]


def test_time_that_has_passed_lets_the_next_line_through() -> None:
    lines: list[str] = []
    progress = Lines(lines.append, every=0)
    progress.say("baseline: one", remaining=7.6)
    progress.say("baseline: two", done=1.2, remaining=-1)
    assert lines == ["baseline: one  about 8 s left", "baseline: two  100%  about 0 s left"]


def test_a_file_gets_whole_lines_without_escapes() -> None:
    stream = io.StringIO()
    progress = Terminal(stream)
    progress.say("plan: at work")
    progress.finish()
    assert stream.getvalue() == "plan: at work\n"


def test_a_terminal_line_is_written_over_and_ended_once() -> None:
    screen = Screen()
    progress = Terminal(screen)
    progress.say("plan: at work")
    progress.say("plan: done")
    progress.finish()
    progress.finish()
    assert screen.getvalue() == "\r\x1b[Kplan: at work\r\x1b[Kplan: done\n"
