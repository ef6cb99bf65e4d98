"""The command line: thin, one file per sub-command, and nothing imported before it is needed."""

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of `prfpipe`; the only place that ends the process."""
    sys.exit(run(argv))


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
        sys.stderr.close()
        return 141
