"""Names that flows and `prfpipe up` agree on. No Prefect here: importing it costs seconds."""

POOL = "bench"


def host_limit(host: str) -> str:
    """The global concurrency limit that lets one run at a time measure on a host."""
    return f"bench-host:{host}"
