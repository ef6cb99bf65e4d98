"""`prfpipe gate`."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from prfpipe.artifacts.names import clean
from prfpipe.artifacts.tables import text_table
from prfpipe.cli.output import print_json, print_text, say_failure
from prfpipe.cli.stopping import sigterm_raises
from prfpipe.errors import InputError, PrfpipeError
from prfpipe.gates.check import Checked, check_gates
from prfpipe.gates.folder import PAGE, folder_of
from prfpipe.gates.github import annotations, write_summary
from prfpipe.gates.history import past_runs
from prfpipe.gates.junit import junit_xml
from prfpipe.gates.measurement import GateOptions
from prfpipe.gates.several import EXIT_CODES, exit_code, run_gates, stopped
from prfpipe.gates.spec import FILE_NAME, Gate, find_gate
from prfpipe.gates.summary import Ended, Failed, flamegraphs, headline, text, worst_check
from prfpipe.models import GATE_IDS, DeploymentProfile, Effort, GateReport
from prfpipe.plan import command_line
from prfpipe.progress import Terminal
from prfpipe.settings import Settings, load_settings

ALL, CHECK = "all", "check"
MOST_SECONDS = 86_400


def command(arguments: argparse.Namespace) -> int:
    """Run gates, or check their budgets; the exit code is the worst answer's."""
    settings = load_settings()
    if arguments.gate == CHECK:
        return _check(arguments, settings)
    gates, options = _gates(arguments, settings), _options(arguments)
    junit = _place(arguments.junit)
    ended = _run(gates, DeploymentProfile(arguments.profile), options, settings, junit)
    try:
        _print(arguments, ended, settings)
        _tell_github(ended, gates, settings)
    finally:
        if junit:
            _write(junit, junit_xml(ended))
    return exit_code(ended)


def _run(
    gates: list[Gate], profile: DeploymentProfile, options: GateOptions, settings: Settings, junit: Path | None
) -> list[Ended]:
    """What all of them say; where they are stopped, the JUnit file has what was said until then, and names the rest."""
    ended: list[Ended] = []
    progress = Terminal()
    try:
        with sigterm_raises():
            ended.extend(run_gates(gates, profile, options, settings, progress))
    except BaseException:
        if junit:
            _write(junit, junit_xml([*ended, *stopped(gates[len(ended) :])]))
        raise
    finally:
        progress.finish()
    return ended


def _gates(arguments: argparse.Namespace, settings: Settings) -> list[Gate]:
    """All are loaded before the first is measured: a wrong budget is told now, not after minutes."""
    if arguments.against:
        raise InputError("--against belongs to `prfpipe gate check`", hint="Leave it out, or say `check`.")
    gates = [find_gate(name, settings.gates) for name in (GATE_IDS if arguments.gate == ALL else [arguments.gate])]
    if arguments.program and [gate.spec.id for gate in gates] != ["PRF-01"]:
        raise InputError("a COMMAND after `--` is for PRF-01 only", hint="prfpipe gate PRF-01 -- COMMAND…")
    return gates


def _options(arguments: argparse.Namespace) -> GateOptions:
    if arguments.samples is not None and arguments.samples < 1:
        raise InputError(f"--samples {arguments.samples}: at least 1", hint="Leave it out for the effort's number.")
    if arguments.ready and not arguments.program:
        raise InputError("--ready is about a COMMAND", hint="prfpipe gate PRF-01 --ready TEXT -- COMMAND…")
    return GateOptions(
        Effort(arguments.effort),
        arguments.samples,
        _seconds(arguments),
        arguments.program,
        arguments.ready,
        command_line(),
    )


def _seconds(arguments: argparse.Namespace) -> float | None:
    found: float | None = arguments.seconds
    if found is None:
        return None
    if arguments.gate in set(GATE_IDS) - {"PRF-03"}:
        raise InputError("--seconds is for PRF-03", hint="The other gates count samples: --samples N.")
    if not 1 <= found <= MOST_SECONDS:
        raise InputError(f"--seconds {found:g}: 1 to {MOST_SECONDS}", hint="Leave it out for the effort's.")
    return found


def _place(junit: str | None) -> Path | None:
    """Where the JUnit file goes; that it can be there is seen before anything is measured."""
    if junit is None:
        return None
    path = Path(junit)
    try:
        if path.is_dir():
            raise InputError(f"--junit {junit} is a folder", hint="Name a file.")
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            with path.open("ab"):
                return path
        with TemporaryFile(dir=path.parent):
            return path
    except OSError as error:
        raise InputError(f"--junit {junit}: {error.strerror}", hint="Name a file that can be written.") from error


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise PrfpipeError(f"--junit {path}: {error.strerror}", hint="Name a file that can be written.") from error


def _tell_github(ended: Sequence[Ended], gates: Sequence[Gate], settings: Settings) -> None:
    files: dict[str, Path] = {gate.spec.id: gate.root / FILE_NAME for gate in gates}
    # Runners read commands from both streams; stdout may have to be one JSON document.
    for line in annotations(ended, files, os.environ):
        sys.stderr.write(f"{line}\n")
    reports = [item for item in ended if isinstance(item, GateReport)]
    parent = settings.gate_reports.resolve()
    try:
        write_summary(ended, [run for report in reports for run in past_runs(parent, report)], os.environ)
    except InputError as error:
        say_failure(error)  # the answer is not one about the summary


def _print(arguments: argparse.Namespace, ended: Sequence[Ended], settings: Settings) -> None:
    for item in ended:
        if isinstance(item, Failed):
            error = PrfpipeError(f"{item.id}: {item.message}", hint=item.hint)
            for note in item.notes:
                error.add_note(note)
            say_failure(error)
    if arguments.json:
        documents = [document(item, settings) for item in ended]
        print_json({"exit_code": exit_code(ended), "gates": documents} if arguments.gate == ALL else documents[0])
        return
    pages = [f"{item.id} report  {_folder(item, settings) / PAGE}" for item in ended if isinstance(item, GateReport)]
    print_text("\n".join([text(ended), "", *pages]))


def document(item: Ended, settings: Settings) -> dict[str, Any]:
    """The JSON document of one gate."""
    if isinstance(item, Failed):
        error = {"type": item.kind, "message": item.message, "hint": item.hint}
        return {"id": item.id, "state": "nothing-measured", "exit_code": item.exit_code, "error": error}
    folder = _folder(item, settings)
    return {
        "exit_code": EXIT_CODES[item.state],
        "headline": headline(item),
        "decided_by": worst_check(item).subject,
        "evidence": {subject: str(folder / name) for subject, name in flamegraphs(item).items()},
        "folder": str(folder),
        "report": str(folder / PAGE),
        **item.model_dump(mode="json"),
    }


def _folder(report: GateReport, settings: Settings) -> Path:
    return folder_of(report, settings.gate_reports.resolve())


def _check(arguments: argparse.Namespace, settings: Settings) -> int:
    """Budgets and ledgers only; nothing is measured."""
    found = check_gates(settings.gates, arguments.against)
    missing = sorted(set(GATE_IDS) - {item.gate.spec.id for item in found if item.gate})
    wrong = [item for item in found if item.problem]
    if arguments.json:
        gates = [_checked(item) for item in found]
        print_json({"exit_code": InputError.exit_code if wrong or missing else 0, "gates": gates, "missing": missing})
    else:
        print_text(_check_text(found, missing))
    return InputError.exit_code if wrong or missing else 0


def _checked(item: Checked) -> dict[str, Any]:
    spec = item.gate.spec.model_dump(mode="json") if item.gate else {}
    return {"folder": str(item.folder), "problem": item.problem, **spec}


def _check_text(found: Sequence[Checked], missing: Sequence[str]) -> str:
    rows = []
    for gate in (item.gate for item in found if item.gate):
        spec = gate.spec
        last = spec.changes[-1]
        # A text of gate.yaml that holds lines must not make lines here: CI reads some as commands.
        rows.append([spec.id, str(spec.version), clean(f"{last.date}: {last.reason}", 100), str(len(spec.overrides))])
    table = [text_table(["gate", "version", "last change", "overrides"], rows, text_columns=3)] if rows else []
    wrong = [f"FAIL  {clean(item.problem, 2000)}" for item in found if item.problem]
    return "\n".join([*table, "", *wrong, *(f"FAIL  there is no valid {identity}" for identity in missing)])
