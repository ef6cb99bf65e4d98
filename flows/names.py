"""Names that flows and `prfpipe up` agree on. No Prefect here: importing it costs seconds."""

from collections.abc import Callable
from string import Formatter
from typing import Any

from prfpipe import host

POOL, QUEUE = "bench", "default"
GAIN_LOST, GATE_FAILED, ARCHIVE_REFUSED = "prfpipe.gain-lost", "prfpipe.gate-failed", "prfpipe.archive-refused"
EFFORT_LABEL = "prfpipe.effort"
TAG = "prfpipe"
# How often a run says that it lives: the shortest that Prefect allows. `prefect.yaml` sets it for each deployment.
HEARTBEAT_VARIABLE, HEARTBEAT_SECONDS = "PREFECT_FLOWS_HEARTBEAT_FREQUENCY", 30
# A server that is killed still has to know afterwards who holds a host; in memory, its default, it forgets that.
LEASES = {"PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem"}


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
