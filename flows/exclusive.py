"""One measurement at a time on a host, as far as Prefect knows: who comes second waits in its queue.

The lock of `prfpipe.host` holds without a server too, and against everybody; it refuses where this one queues.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from prefect.concurrency.sync import concurrency

from flows.names import host_limit

# The least that a server takes. A process that lives renews its lease; what a dead one held is free after this time.
LEASE_SECONDS = 60.0


@contextmanager
def turn_on(name: str) -> Iterator[None]:
    """Hold the host's limit, waiting for it; nothing where a server has no such limit."""
    with concurrency(host_limit(name), strict=False, lease_duration=LEASE_SECONDS):
        yield
