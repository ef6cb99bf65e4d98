"""What the instruments cost once, in a process of its own: prints JSON, name to nanoseconds. Run by PRF-03."""

import json
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from time import perf_counter_ns as now
from typing import Any

import orjson

from gates.runtime.audit import AuditLog
from gates.runtime.levers import LEVERS
from gates.runtime.trust import AUDIT_KEY, AUDIT_LOG

RECORDS = 1000
ED25519 = "cryptography.hazmat.primitives.asymmetric.ed25519"


def timed(costs: dict[str, int], name: str, what: Callable[[], Any]) -> Any:
    """The result of `what`; its time goes into `costs`."""
    start = now()
    found = what()
    costs[name] = now() - start
    return found


def measured(state: Path, costs: dict[str, int]) -> None:
    """One-off costs, in the order in which a starting runtime meets them."""
    key = (state / "trust" / AUDIT_KEY).read_bytes()
    log = AuditLog.open(state / AUDIT_LOG, key)
    for number in range(RECORDS):
        log.record(orjson.dumps({"event": "checked", "by": "redact_1", "files": number}))
    timed(costs, f"audit: flush of {RECORDS} records", log.flush)
    log.close()
    timed(costs, f"audit: verification of {RECORDS} records", lambda: AuditLog.open(state / AUDIT_LOG, key)).close()
    _provenance(costs, state)
    _policy(costs, state)


def _provenance(costs: dict[str, int], state: Path) -> None:
    from gates.runtime import publisher
    from gates.runtime.manifest import opened
    from gates.runtime.provenance import Provenance
    from gates.runtime.trust import code_of

    public = publisher.key_of().public_key().public_bytes_raw()
    timed(costs, "provenance: key load", lambda: Provenance(public))
    envelope = (state / "trust" / "manifest").read_bytes()
    verifier = publisher.key_of().public_key()
    timed(costs, "provenance: signature and reading of the trust manifest", lambda: opened(envelope, verifier))
    folders = [LEVERS / name for name in publisher.CODE]
    timed(
        costs,
        "provenance: digests of the code of all hot paths",
        lambda: [publisher.digest_of(path) for folder in folders for path in code_of(folder)],
    )

    sources = {path: path.read_bytes() for folder in folders for path in code_of(folder) if path.suffix == ".py"}
    timed(
        costs,
        "provenance: compiling that code, in place of reading bytecode that nobody signed",
        lambda: [compile(source, path, "exec") for path, source in sources.items()],
    )


def _policy(costs: dict[str, int], state: Path) -> None:
    from gates.runtime.policy import Policy, engine

    timed(costs, "policy: import of the engine", engine)
    texts = [(state / "trust" / name).read_text(encoding="utf-8") for name in ("policies.cedar", "entities.json")]
    policy = Policy(texts[0], texts[1], 1)
    caller, host = ("Extension", "redact_1"), ("Host", "extensions")
    timed(costs, "policy: parsing, and the first decision", lambda: policy.allows(caller, "register", host))
    timed(costs, "policy: a decision not made before", lambda: policy.allows(caller, "receive", ("Event", "saved")))


def main() -> None:
    """Measure once and print."""
    costs: dict[str, int] = {}
    timed(costs, "provenance: import of the library", lambda: import_module(ED25519))
    from gates.runtime import publisher

    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state"
        publisher.install(state)
        measured(state, costs)
    sys.stdout.write(json.dumps(costs) + "\n")


if __name__ == "__main__":
    main()
