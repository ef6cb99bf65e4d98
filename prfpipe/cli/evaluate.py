"""`prfpipe evaluate`."""

import argparse
import importlib
from typing import Any

from prfpipe.artifacts.summary import verdict_table
from prfpipe.cli.output import EXIT_CODES, print_json, print_text
from prfpipe.cli.stopping import sigterm_raises
from prfpipe.errors import SettingsError
from prfpipe.lever import Lever, find_lever
from prfpipe.loop import Options, Outcome, evaluate
from prfpipe.models import Effort, ScenarioResult
from prfpipe.plan import command_line
from prfpipe.progress import Terminal
from prfpipe.settings import Settings, load_settings


def command(arguments: argparse.Namespace) -> int:
    """Evaluate a lever; the exit code says the verdict."""
    settings = load_settings()
    if arguments.store:
        settings = settings.model_copy(update={"store": arguments.store})
    lever = find_lever(arguments.lever, settings.levers)
    options = Options(Effort(arguments.effort), command_line(), arguments.accept_noise, arguments.seed)
    outcome = _evaluate(arguments, lever, options, settings)
    if arguments.json:
        print_json(document(outcome))
    else:
        table = verdict_table(outcome.verdict, lever.spec.expected_speedup)
        print_text(f"\n{table}\n\nbundle  {outcome.bundle}\nreport  {outcome.report}")
    return EXIT_CODES[outcome.verdict.verdict]


def _evaluate(arguments: argparse.Namespace, lever: Lever, options: Options, settings: Settings) -> Outcome:
    progress = Terminal()
    try:
        with sigterm_raises():
            if arguments.inline:
                return evaluate(lever, options, settings, progress, arguments.resume)
            outcome: Outcome = _flow().run(lever, options, settings, arguments.resume)
            return outcome
    finally:
        progress.finish()


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
        "invocations": result.invocations,
        "confidence": result.confidence,
        "speedup": result.speedup.model_dump(),
        "aa_control": result.control.model_dump(),
        "baseline": result.arms["baseline"].model_dump(),
        "candidate": result.arms["candidate"].model_dump(),
    }
