"""run_gate(gate, profile, ...) -> GateReport: measure, decide, profile what fails, write it all down."""

import importlib
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from prfpipe import host
from prfpipe.digests import sha256_file
from prfpipe.errors import HostError, PrfpipeError, SubjectStartError
from prfpipe.gates import decide, ledger
from prfpipe.gates.findings import NO_FLAMES, Findings, findings_of
from prfpipe.gates.flames import with_flamegraphs
from prfpipe.gates.folder import write_interrupted, write_report
from prfpipe.gates.judge import judge
from prfpipe.gates.measurement import GateContext, GateOptions, Measurement
from prfpipe.gates.spec import FILE_NAME, Gate, subject_file
from prfpipe.lever.folder import is_installed
from prfpipe.models import DeploymentProfile, GateCheck, GateId, GateReport
from prfpipe.plan import new_run_id, provenance, words_without_secrets
from prfpipe.progress import Progress
from prfpipe.settings import Settings

MEASURES: dict[GateId, str] = {
    "PRF-01": "prfpipe.gates.cold_start",
    "PRF-02": "prfpipe.gates.churn",
    "PRF-03": "prfpipe.gates.overhead",
    "PRF-04": "prfpipe.gates.diff",
}
"""The module that measures each gate by its `open_measurement(context)`; by name, since each loads what it needs."""


def run_gate(
    gate: Gate, profile: DeploymentProfile, options: GateOptions, settings: Settings, progress: Progress
) -> GateReport:
    """Run one gate; what it found is in a folder of its own below `settings.gate_reports` when this returns.

    Raises:
        GateError: the gate has no budgets for this profile.
        NothingMeasuredError: there is nothing to decide on, or it is not what the budgets are about.
        SubjectError: a subject is missing or failed.
        HostError: somebody else measures on this machine, or its disk is full.
    """
    budgets = ledger.in_force(gate.spec, profile, datetime.now(UTC).date())
    _refuse_missing_subject(gate, options)
    start, now = time.monotonic(), datetime.now(UTC)
    run_id, parent = new_run_id(gate.spec.id, now), settings.gate_reports.resolve()
    with (
        host.exclusive(settings.lock),
        _telling_of_the_system(),
        TemporaryDirectory(prefix="prfpipe-gate-", ignore_cleanup_errors=True) as scratch,
    ):
        progress.say(f"{gate.spec.id}: probing this machine's noise")
        context = GateContext(
            gate=gate,
            profile=profile,
            options=options,
            settings=settings,
            progress=progress,
            scratch=Path(scratch),
            budgets=budgets,
            host=host.fingerprint(),
            # It is recorded and shown, and refuses nothing: noise makes times longer, which helps no p99.
            noise=host.probe_noise(limit_percent=settings.noise_limit_percent, accept=True),
        )
        checks, found = _measure(context, parent / gate.spec.id / run_id)
    report = _report(context, checks, found, run_id, now, time.monotonic() - start)
    return write_report(report, found, parent)


def _measure(context: GateContext, folder: Path) -> tuple[list[GateCheck], Findings]:
    with (
        host.leave_cpu_free(context.host.measuring_cpu),
        _open(context) as measured,
        _keeping(measured, folder),
    ):
        checks, flames = with_flamegraphs(context, measured, judge(context, measured))
        return checks, findings_of(measured, flames)


@contextmanager
def _keeping(measured: Measurement, folder: Path) -> Iterator[None]:
    """What was measured before a failure is kept beside the reports; without digests it counts as no run."""
    try:
        yield
    except (PrfpipeError, OSError, KeyboardInterrupt) as error:
        found = findings_of(measured, NO_FLAMES)
        if any(found.samples.values()) or any(found.also.values()):
            error.add_note(_kept(found, folder))
        raise


def _kept(found: Findings, folder: Path) -> str:
    try:
        write_interrupted(found, folder)
    except PrfpipeError as error:
        return f"what was measured until then could not be kept: {error.message}"
    return f"what was measured until then: {folder}"


@contextmanager
def _telling_of_the_system() -> Iterator[None]:
    """A full disk is no budget that was missed: it has an exit code of its own, and other gates go on."""
    try:
        yield
    except BrokenPipeError:
        raise  # whoever read what is printed has gone
    except OSError as error:
        told = HostError(
            f"{error.filename or 'the system'}: {error.strerror or error}",
            hint="Look for a full disk or missing rights; TMPDIR names the folder of scratch files.",
        )
        for note in getattr(error, "__notes__", ()):
            told.add_note(note)
        raise told from error


def _open(context: GateContext) -> Measurement:
    module = importlib.import_module(MEASURES[context.gate.spec.id])
    return cast(Measurement, module.open_measurement(context))


def _refuse_missing_subject(gate: Gate, options: GateOptions) -> None:
    if options.command:
        return  # what is measured instead needs nothing of the gate's own subject; it is told when it cannot be started
    for requirement in gate.spec.requires:
        if not is_installed(requirement):
            raise SubjectStartError(
                f"{gate.spec.id} needs {requirement}, which is not installed here",
                hint=f"python -m pip install {shlex.join(gate.spec.requires)}",
            )
    file = subject_file(gate)
    if file is not None and not file.is_file():
        raise SubjectStartError(f"the subject of {gate.spec.id} is missing: {file}", hint="Put it there, or name it.")


def _report(
    context: GateContext, checks: list[GateCheck], found: Findings, run_id: str, now: datetime, seconds: float
) -> GateReport:
    spec, noise = context.gate.spec, context.noise
    noisy = f"this host was noisy: equal work differed by {noise.spread_percent:g} %"
    return GateReport(
        run_id=run_id,
        id=spec.id,
        title=spec.title,
        profile=context.profile,
        state=decide.word(checks),
        program=words_without_secrets(context.options.command),
        checks=tuple(checks),
        budget_version=spec.version,
        warn_at_percent=spec.warn_at_percent,
        tables=found.tables,
        notes=(*[noisy] * noise.accepted, *found.notes),
        host=context.host,
        noise=noise,
        provenance=provenance(context.options.words, context.gate.root, now),
        spec_sha256=sha256_file(context.gate.root / FILE_NAME),
        wall_seconds=round(seconds, 3),
    )
