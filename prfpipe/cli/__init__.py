"""The command line: thin, one file per sub-command, and nothing imported before it is needed."""

import sys
from collections.abc import Sequence
from io import TextIOWrapper


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of `prfpipe`; the only place that ends the process."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character must not end an evaluation.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = run(argv)
    except Exception:  # noqa: BLE001 - a defect is no answer, so it must not end with the 1 that Python would give it
        from prfpipe.cli.output import say_defect

        code = say_defect()
    sys.exit(code)


def run(argv: Sequence[str] | None = None) -> int:
    """Run one sub-command; returns the exit code. Expected failures become one message on stderr."""
    from prfpipe.cli.parser import parse

    arguments = parse(argv)
    from prfpipe.errors import PrfpipeError

    try:
        return int(arguments.command(arguments))
    except PrfpipeError as error:
        from prfpipe.cli.output import say_failure

        say_failure(error)
        return error.exit_code
    except KeyboardInterrupt as interrupt:
        from prfpipe.cli.output import say_interrupted

        return say_interrupted(interrupt)
    except BrokenPipeError:
        from prfpipe.cli.output import drop_stdout

        drop_stdout()
        return 141
