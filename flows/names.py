"""Names that flows and `prfpipe up` agree on. No Prefect here: importing it costs seconds."""

from collections.abc import Callable
from string import Formatter
from typing import Any

from prfpipe import host

POOL = "bench"
GAIN_LOST, GATE_FAILED, ARCHIVE_REFUSED = "prfpipe.gain-lost", "prfpipe.PRF-004", "prfpipe.archive-refused"
EFFORT_LABEL = "prfpipe.effort"


def host_limit(host: str) -> str:
    """The global concurrency limit that lets one run at a time measure on a host."""
    return f"bench-host:{host}"


def run_name(form: str) -> Callable[[], str]:
    """A run's name from its parameters, and where it runs: `LEV-01 quick on bench-1`."""

    def name() -> str:
        from prefect.runtime import flow_run

        given: dict[str, Any] = flow_run.get_parameters()
        words = {field: given[field] for _, field, _, _ in Formatter().parse(form) if field}
        return form.format(**{field: getattr(value, "value", value) for field, value in words.items()}) + (
            f" on {host.name()}"
        )

    return name
