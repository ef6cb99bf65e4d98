"""GitHub Actions: annotations as workflow commands, and the step summary. Nothing happens elsewhere."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from prfpipe.artifacts.names import clean
from prfpipe.errors import InputError
from prfpipe.gates.summary import Ended, Failed, markdown_summary
from prfpipe.models import GateCheck, GateReport

_MAX_SUMMARY = 900_000  # GitHub drops a step's summary above 1 MiB
_LEVELS = {"fail": "error", "undecided": "error", "warn": "warning", "pass": "notice", "out-of-scope": "notice"}


def annotations(ended: Sequence[Ended], files: Mapping[str, Path], environment: Mapping[str, str]) -> list[str]:
    """Workflow commands, one a check; none outside of GitHub Actions.

    `files`: each gate's gate.yaml by the gate's id, so that an annotation stands where the budget does.
    """
    if environment.get("GITHUB_ACTIONS") != "true":
        return []
    workspace = Path(environment.get("GITHUB_WORKSPACE", ".")).resolve()
    return [line for item in ended for line in _lines(item, _inside(workspace, files.get(item.id)))]


def _inside(workspace: Path, file: Path | None) -> str:
    """A file as the workspace calls it; nothing for one outside, which GitHub could not show."""
    if file is None:
        return ""
    relative = os.path.relpath(file.resolve(), workspace)
    return "" if relative.startswith("..") else relative


def _lines(item: Ended, file: str) -> Iterator[str]:
    if isinstance(item, Failed):
        yield command("error", f"{item.message} {item.hint}", title=f"{item.id} nothing measured", file=file)
        return
    for check in item.checks:
        yield command(_LEVELS[check.state], _message(check), title=_title(item, check), file=file)


def _title(report: GateReport, check: GateCheck) -> str:
    return f"{report.id} {check.subject}: {check.state}"


def _message(check: GateCheck) -> str:
    return check.message + (f"; flamegraph: {check.flamegraph}" if check.flamegraph else "")


def command(level: str, message: str, **properties: str) -> str:
    """`::error file=…,title=…::message`; empty properties are left out, and nothing can end the line or a value."""
    written = ",".join(f"{name}={_property(clean(value))}" for name, value in sorted(properties.items()) if value)
    return f"::{level}{' ' * bool(written)}{written}::{_data(clean(message, 2000))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def write_summary(ended: Sequence[Ended], earlier: Sequence[GateReport], environment: Mapping[str, str]) -> None:
    """Add the Markdown summary to the step's; nothing where GitHub does not ask for one.

    Raises:
        InputError: GITHUB_STEP_SUMMARY cannot be written.
    """
    path = environment.get("GITHUB_STEP_SUMMARY")
    if environment.get("GITHUB_ACTIONS") != "true" or not path:
        return
    page = markdown_summary(ended, earlier)
    if len(page.encode()) > _MAX_SUMMARY:
        page = markdown_summary(ended)[: _MAX_SUMMARY // 4]
    try:
        with Path(path).open("a", encoding="utf-8") as stream:
            stream.write(page + "\n")
    except OSError as error:
        raise InputError(
            f"GITHUB_STEP_SUMMARY cannot be written: {path}: {error.strerror}", hint="Correct or unset the variable."
        ) from error
