"""`prfpipe replay`."""

import argparse

from prfpipe import layout
from prfpipe.artifacts.tables import text_table
from prfpipe.attest.trust import load_trust
from prfpipe.audit import audit_files
from prfpipe.bundle import read_tree
from prfpipe.cli.output import EXIT_CODES, print_json, print_text
from prfpipe.cli.stopping import sigterm_raises
from prfpipe.cli.stores import bundle_folder
from prfpipe.errors import LeverError, SettingsError
from prfpipe.lever import Lever, find_lever
from prfpipe.loop import Options, Outcome, evaluate
from prfpipe.models import Effort, Plan, Verdict
from prfpipe.plan import command_line
from prfpipe.progress import Terminal
from prfpipe.replay import Replay, compare
from prfpipe.settings import Settings, load_settings
from prfpipe.subject.variants import source_files
from prfpipe.verdict import interval_text

_EXIT_CODES = {"agrees": EXIT_CODES["adopt"], "disagrees": EXIT_CODES["reject"], "undecided": EXIT_CODES["undecided"]}


def command(arguments: argparse.Namespace) -> int:
    """Measure a bundle's plan again, and say whether the effect is the same."""
    if not 0 <= arguments.within < 1000:
        raise SettingsError(f"--within {arguments.within} is not a tolerance", hint="Give a percentage from 0 on.")
    settings = load_settings()
    if arguments.store:
        settings = settings.model_copy(update={"store": arguments.store})
    plan, verdict = _recorded(arguments, settings)
    lever = _same_source(arguments, settings, plan)
    outcome = _evaluate(arguments, lever, settings, plan)
    replay = compare(verdict, outcome.verdict, arguments.within)
    same_host = _machine(plan) == _machine(outcome.plan)
    if arguments.json:
        more = {"bundle": outcome.bundle, "hosts": [plan.host.name, outcome.plan.host.name], "same_host": same_host}
        print_json({**replay.model_dump(mode="json"), **more})
    else:
        print_text(_text(replay, outcome, same_host=same_host))
    return _EXIT_CODES[replay.answer]


def _machine(plan: Plan) -> tuple[str, str, int]:
    return plan.host.name, plan.host.cpu_model, plan.host.cpus


def _recorded(arguments: argparse.Namespace, settings: Settings) -> tuple[Plan, Verdict]:
    """Plan and verdict of the bundle.

    Raises:
        TamperError: the bundle does not pass its audit: there is nothing that could be confirmed.
    """
    with bundle_folder(arguments) as folder:
        files = read_tree(folder)
    audit_files(files, load_trust(settings.key_folder, arguments.trust)).require()
    return layout.read_plan(files), layout.read_verdict(files)


def _same_source(arguments: argparse.Namespace, settings: Settings, plan: Plan) -> Lever:
    """The lever folder, which must be what was measured then.

    Raises:
        LeverError: it is not; the message names files that differ.
    """
    lever = find_lever(arguments.lever_folder or plan.lever.id, settings.levers)
    found = source_files(lever.root)
    if changed := sorted({name for name, _ in found.items() ^ plan.source_files.items()}):
        raise LeverError(
            f"{lever.root} is not the lever folder of {plan.run_id}: {', '.join(changed[:5])} differ",
            hint=f"Check out its commit ({plan.provenance.git_commit[:12]}), or name the folder: --lever-folder DIR.",
        )
    return lever


def _evaluate(arguments: argparse.Namespace, lever: Lever, settings: Settings, plan: Plan) -> Outcome:
    """A run of its own: a fresh seed, this host, evidence that names the replayed run in its command line."""
    effort, progress = Effort(arguments.effort or plan.effort), Terminal()
    words = tuple(plan.run_id if word == arguments.bundle else word for word in command_line())
    try:
        with sigterm_raises():
            return evaluate(lever, Options(effort, words, arguments.accept_noise), settings, progress)
    finally:
        progress.finish()


def _text(replay: Replay, outcome: Outcome, *, same_host: bool) -> str:
    rows = [
        [item.scenario + " ★" * item.primary, *map(interval_text, (item.before, item.after, item.ratio)), item.answer]
        for item in replay.scenarios
    ]
    table = text_table(["scenario", "before", "now", "now / before", "answer"], rows, text_columns=5)
    reason = next(found.reason for found in replay.scenarios if found.primary)
    where = "the same host" if same_host else "another host"
    lines = [table, "", f"replay  {outcome.bundle}", f"verdict {replay.verdicts[0]} before, {replay.verdicts[1]} now"]
    return "\n".join([*lines, f"measured on {where}", "", f"{replay.answer.upper()}: {replay.replayed}: {reason}"])
