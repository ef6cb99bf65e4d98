"""The only Prefect code: thin tasks over `prfpipe.loop`, with Prefect's artifacts and events.

Settings that Prefect reads when it is imported are set here, unless the person has set them: an ephemeral server
needs longer than the default 20 s to start, and an evaluation phones nobody.
"""

import os

os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")
