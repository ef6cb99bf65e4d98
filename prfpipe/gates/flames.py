"""Regression evidence: a profile of every failing path, as a flamegraph beside the report. Never timed."""

import re
from collections.abc import Sequence

from prfpipe.errors import PrfpipeError, ProfilerError
from prfpipe.gates.findings import Flames
from prfpipe.gates.measurement import GateContext, Measurement
from prfpipe.models import GateCheck
from prfpipe.profilers import Targets, folded
from prfpipe.profilers.flamegraph import flamegraph
from prfpipe.profilers.frames import Paths, printable

MOST_PROFILES = 6
"""Failing paths beyond these have the same cause more often than one of their own."""


def with_flamegraphs(
    context: GateContext, measured: Measurement, checks: Sequence[GateCheck]
) -> tuple[list[GateCheck], Flames]:
    """Profile what fails, the worst first, and name each flamegraph in its check.

    A profile that cannot be made is told in a note: the answer stands without it.
    """
    failing = sorted((check for check in checks if check.state == "fail"), key=lambda check: -(check.used_percent or 0))
    files: dict[str, bytes] = {}
    notes: list[str] = []
    named: dict[str, str] = {}
    for check in failing[:MOST_PROFILES]:
        context.progress.say(f"{context.gate.spec.id}: profiling {check.subject}, which is over its budget")
        try:
            made = _flamegraph(context, measured, check)
        except (PrfpipeError, OSError) as error:
            why = error.strerror if isinstance(error, OSError) else error.message
            notes.append(f"{check.subject}: no flamegraph: {why}")
            continue
        files |= made
        named[check.subject] = next(name for name in made if name.endswith(".svg"))
    if left := failing[MOST_PROFILES:]:
        notes.append(f"not profiled, since {MOST_PROFILES} others were: {', '.join(check.subject for check in left)}")
    found = [check.model_copy(update={"flamegraph": named.get(check.subject, "")}) for check in checks]
    return found, Flames(files, tuple(notes))


def _flamegraph(context: GateContext, measured: Measurement, check: GateCheck) -> dict[str, bytes]:
    folder = context.scratch / f"profile-{slug(check.subject)}"
    folder.mkdir()
    data = measured.profile(check.subject, folder)
    if data is None:
        raise ProfilerError("this subject cannot be profiled", hint="Profile it by hand.")
    stacks = folded.parse(data, source=check.subject, short=Paths(context.gate.root).short)
    name = f"flame-{slug(check.subject)}"
    title = printable(f"{context.gate.spec.id} {check.subject}, over its budget")
    what = f"{sum(stacks.values())} samples by py-spy, waiting included, in runs that were not timed"
    svg = flamegraph(stacks, title=title, subtitle=what, targets=Targets(()))
    return {f"{name}.folded": folded.render(stacks), f"{name}.svg": svg}


def slug(subject: str) -> str:
    """A subject's name as a part of a file name."""
    return re.sub(r"[^a-z0-9]+", "-", subject.lower()).strip("-")[:60] or "subject"
