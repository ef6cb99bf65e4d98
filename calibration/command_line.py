"""The command: plan the session, measure what is missing, write the report."""

import argparse
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from calibration import attribution, experiments, report, results, session
from prfpipe import host
from prfpipe.errors import InputError, PrfpipeError
from prfpipe.progress import Terminal

SEED = 20_260_101
_RESULTS = session.ROOT / "calibration" / "results" / "session.jsonl"
_INTERRUPTED = 130


def main(argv: list[str]) -> int:
    """Exit codes are those of prfpipe: 0, 2 for what was given, 4 for what failed, 130 for Ctrl-C."""
    arguments = _parser().parse_args(argv)
    progress = Terminal()
    try:
        _run(arguments, progress)
    except PrfpipeError as error:
        progress.finish()
        print(f"calibrate: {error.message}\n  {error.hint}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        progress.finish()
        print("calibrate: interrupted; the same command goes on from here", file=sys.stderr)
        return _INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    names = [*experiments.TOOLS, *(experiment.name for experiment in experiments.EXPERIMENTS)]
    parser = argparse.ArgumentParser(
        prog="calibration/calibrate.py",
        description="prfpipe, hyperfine and pyperf on known differences, at the same wall time a comparison.",
        epilog="Without options: everything, about 75 minutes; a second call goes on where the first one stopped.",
    )
    parser.add_argument("--results", type=Path, default=_RESULTS, metavar="FILE", help="default: %(default)s")
    parser.add_argument("--only", nargs="+", choices=names, default=[], help="tools, experiments or both")
    parser.add_argument("--scale", type=_positive, default=1.0, help="share of the comparisons to make")
    parser.add_argument("--budget", type=_positive, default=1.0, help="factor on the wall time of each comparison")
    parser.add_argument("--seed", type=int, default=SEED, help="of the order and of all comparisons")
    parser.add_argument("--attribute", action="store_true", help="only measure where the variance comes from, again")
    parser.add_argument("--report", action="store_true", help="only write the report from the results so far")
    parser.add_argument("--docs", type=Path, default=session.ROOT / "docs", metavar="DIR", help="where it goes")
    return parser


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value <= 10:
        raise argparse.ArgumentTypeError("a number above 0, 10 at most")
    return value


def _run(arguments: argparse.Namespace, progress: Terminal) -> None:
    if arguments.report:
        _report(arguments)
        return
    options = session.Options(arguments.results, arguments.seed, arguments.budget)
    planned = experiments.planned(seed=options.seed, scale=arguments.scale)
    tasks = [] if arguments.attribute else experiments.chosen(planned, arguments.only)
    session.run(tasks, options, progress)
    if arguments.attribute or (not arguments.only and not results.read(options.file).attributions):
        _attribute(options, arguments.scale, progress)
    progress.finish()
    _report(arguments)


def _report(arguments: argparse.Namespace) -> None:
    found = results.read(arguments.results)
    if found.session is None:
        raise InputError(
            f"{arguments.results} holds no results", hint="Measure first: the same command without --report."
        )
    report.write(found, found.session, arguments.docs)


def _attribute(options: session.Options, scale: float, progress: Terminal) -> None:
    """Measure the conditions side by side and add their figures to the results."""
    cpu, found = host.measuring_cpu(), defaultdict(list)
    count = max(attribution.FEWEST, round(attribution.INVOCATIONS * scale))
    total = count * len(attribution.CONDITIONS)
    with tempfile.TemporaryDirectory() as scratch, host.leave_cpu_free(cpu), session.alone(progress):
        measured = attribution.measured(cpu, Path(scratch), invocations=count, seed=options.seed)
        for number, (condition, halves) in enumerate(measured, start=1):
            found[condition].append(halves)
            left = halves.elapsed_s * (total - number)
            progress.say("where the variance comes from", done=number / total, remaining=left)
    with results.appending(options.file) as file:
        for condition in attribution.CONDITIONS:
            if condition in found:
                file.append(results.line_of(attribution.summarize(condition, found[condition])))
