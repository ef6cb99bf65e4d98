"""`prfpipe evaluate`."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from prfpipe.artifacts.names import clean
from prfpipe.artifacts.results import Result, results_text
from prfpipe.artifacts.summary import verdict_table
from prfpipe.cli.output import EXIT_CODES, print_json, print_text, say_failure
from prfpipe.cli.stopping import sigterm_raises
from prfpipe.errors import InputError, PrfpipeError, SettingsError
from prfpipe.lever import Lever, check_requirements, find_lever, list_levers
from prfpipe.loop import Options, Outcome, evaluate, require_plan_of
from prfpipe.models import Effort, ScenarioResult
from prfpipe.plan import command_line
from prfpipe.progress import Terminal
from prfpipe.settings import Settings, load_settings
from prfpipe.store.bundles.refs import is_run_id

ALL, REPROFILES = "all", "--reprofiles"


def command(arguments: argparse.Namespace) -> int:
    """Evaluate a lever, or all of them one after the other; the exit code says the verdict."""
    settings = load_settings()
    if arguments.store:
        settings = settings.model_copy(update={"store": arguments.store})
    if arguments.lever == ALL:
        return _evaluate_all(arguments, settings)
    outcome = _evaluate(arguments, find_lever(arguments.lever, settings.levers), settings)
    if arguments.json:
        print_json(document(outcome))
    else:
        print_text(_text(outcome))
    return EXIT_CODES[outcome.verdict.verdict]


def _text(outcome: Outcome) -> str:
    table = verdict_table(outcome.verdict, outcome.plan.lever.expected_speedup)
    return f"\n{table}\n\nbundle  {outcome.bundle}\nreport  {outcome.report}"


def _evaluate_all(arguments: argparse.Namespace, settings: Settings) -> int:
    """What one lever's failure costs is its own result: the others still get theirs."""
    levers = _all_levers(arguments, settings)
    ended: list[Outcome | Failure] = []
    for number, lever in enumerate(levers, start=1):
        sys.stderr.write(f"\n{lever.spec.id} ({number} of {len(levers)}): {clean(lever.spec.title)}\n")
        ended.append(_try(arguments, lever, settings))
        if not arguments.json and isinstance(ended[-1], Outcome):
            print_text(_text(ended[-1]))
    if arguments.json:
        print_json({"levers": [_entry(item) for item in ended]})
    else:
        print_text(_closing_table(ended))
    return _worst(ended)


def _all_levers(arguments: argparse.Namespace, settings: Settings) -> list[Lever]:
    if arguments.resume:
        raise InputError("--resume goes on with one run", hint="Name the lever of that run instead of `all`.")
    levers = list_levers(settings.levers)
    if not levers:
        raise InputError(f"no levers under {settings.levers}", hint=f"`prfpipe new {settings.levers}/NAME` writes one.")
    for lever in levers:
        check_requirements(lever)  # now, not after the minutes that the levers before it take
    return levers


@dataclass(frozen=True)
class Failure:
    """A lever that got no verdict, and why."""

    lever: str
    error: PrfpipeError


def _try(arguments: argparse.Namespace, lever: Lever, settings: Settings) -> Outcome | Failure:
    try:
        return _evaluate(arguments, lever, settings)
    except PrfpipeError as error:
        say_failure(error)
        return Failure(lever.spec.id, error)


def _entry(ended: Outcome | Failure) -> dict[str, Any]:
    if isinstance(ended, Outcome):
        return document(ended)
    return {"lever": ended.lever, "error": {"message": ended.error.message, "hint": ended.error.hint}}


def _closing_table(ended: Sequence[Outcome | Failure]) -> str:
    results = [Result(item.plan, item.verdict) for item in ended if isinstance(item, Outcome)]
    failed = [f"{item.lever}: no verdict: {item.error.message}" for item in ended if isinstance(item, Failure)]
    return "\n\n".join(["", *([results_text(results)] if results else []), *failed])


def _worst(ended: Sequence[Outcome | Failure]) -> int:
    """4 where a lever got no verdict, else 1 for a reject, else 3 for an undecided one, else 0."""
    if any(isinstance(item, Failure) for item in ended):
        return PrfpipeError.exit_code
    words = {item.verdict.verdict for item in ended if isinstance(item, Outcome)}
    return EXIT_CODES[next(word for word in ("reject", "undecided", "adopt") if word in words)]


def _evaluate(arguments: argparse.Namespace, lever: Lever, settings: Settings) -> Outcome:
    effort = Effort(arguments.effort) if arguments.effort else None
    require_plan_of(arguments.resume, effort, arguments.seed, settings)
    options = Options(effort or Effort.QUICK, _command_line(arguments, lever), arguments.accept_noise, arguments.seed)
    progress = Terminal()
    try:
        with sigterm_raises():
            if arguments.inline:
                return evaluate(lever, options, settings, progress, arguments.resume)
            outcome: Outcome = _flow().run(lever, options, settings, arguments.resume)
            return outcome
    finally:
        progress.finish()


def _command_line(arguments: argparse.Namespace, lever: Lever) -> tuple[str, ...]:
    """What evaluates this one lever: `all` is not what made its bundle.

    Raises:
        InputError: `--reprofiles` names no run, or stands beside `--resume`.
    """
    words = list(command_line())
    if arguments.lever == ALL and ALL in words:
        words[words.index(ALL)] = lever.spec.id
    again = arguments.reprofiles
    if again is None:
        return tuple(words)
    if arguments.resume or not is_run_id(again):
        raise InputError(
            f"--reprofiles {again}: " + ("a run that is resumed says it already" if arguments.resume else "no run id"),
            hint="Give the id of the adopted run, as `prfpipe history` shows it.",
        )
    return _spaced(words, again)


def _spaced(words: Sequence[str], run_id: str) -> tuple[str, ...]:
    """History finds the two words `--reprofiles RUN_ID` in the plan's command."""
    joined = f"{REPROFILES}={run_id}"
    return tuple(part for word in words for part in ((REPROFILES, run_id) if word == joined else (word,)))


def _flow() -> Any:
    # By name, because rooms know nothing of flows, and because importing Prefect takes seconds.
    try:
        return importlib.import_module("flows.evaluate")
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"the Prefect flow cannot be loaded: {error}",
            hint="python -m pip install 'prfpipe[prefect]', or pass --inline to run without Prefect.",
        ) from error


def document(outcome: Outcome) -> dict[str, Any]:
    """The JSON document of an evaluation."""
    verdict = outcome.verdict
    primary = next((result for result in verdict.scenarios if result.primary), None)
    return {
        "run_id": verdict.run_id,
        "lever": verdict.lever,
        "verdict": verdict.verdict,
        "claim": verdict.claim,
        "reasons": [reason.model_dump() for reason in verdict.reasons],
        "guards": [guard.model_dump() for guard in verdict.guards],
        "strata": [stratum.model_dump() for stratum in verdict.strata],
        "bundle": outcome.bundle,
        "report": str(outcome.report),
        "scenarios": {result.scenario: _scenario(result) for result in verdict.scenarios},
        "aa_control": primary.control.model_dump() if primary else None,
        "effort": verdict.effort.value,
        "wall_seconds": round(outcome.wall_seconds, 1),
    }


def _scenario(result: ScenarioResult) -> dict[str, Any]:
    return {
        "primary": result.primary,
        "must_hold": result.must_hold,
        "invocations": result.invocations,
        "confidence": result.confidence,
        "speedup": result.speedup.model_dump(),
        "aa_control": result.control.model_dump(),
        "baseline": result.arms["baseline"].model_dump(),
        "candidate": result.arms["candidate"].model_dump(),
    }
