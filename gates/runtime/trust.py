"""Trust state: what the runtime believes when it starts, read from disk and verified before anything is done.

```
STATE/trust/manifest        signed: digests of the policy, the extensions and the code of the hot paths
STATE/trust/policies.cedar  STATE/trust/entities.json
STATE/trust/audit.key       32 bytes that seal the audit log on this machine
STATE/audit.log             STATE/audit.head
STATE/extensions/NAME.py
```
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gates.runtime.audit import AuditLog
from gates.runtime.config import Config
from gates.runtime.errors import ConfigError, ForgedError, RuntimeFault, TamperedError
from gates.runtime.manifest import Manifest
from gates.runtime.policy import Policy, Uid
from gates.runtime.provenance import Provenance

MANIFEST, POLICIES, ENTITIES, AUDIT_KEY = "manifest", "policies.cedar", "entities.json", "audit.key"
AUDIT_LOG = "audit.log"
RUNTIME = "runtime"
"""The name of the trust manifest."""
CODE_KINDS = {".py", ".js", ".mjs", ".json", ".cedarschema"}

_LONGEST_MESSAGE = 1000
_ENCODER = json.JSONEncoder(separators=(",", ":"))


def as_json(event: Any) -> bytes:
    """An event as the audit log has it."""
    return _ENCODER.encode(event).encode("ascii")


class Guard:
    """The instruments that are on, for all hot paths; one that is off is None and costs a look."""

    def __init__(self, state: Path, config: Config) -> None:
        """Hydrate the trust state.

        Raises:
            AuditError: the audit log is not as this machine has left it.
            ForgedError: the manifest is not the publisher's, or older than the epoch that the log has sealed.
            TamperedError: the policy is not what was signed.
        """
        self.state = state
        self._turns = 0
        self._events: list[bytes] = []
        on = config.instruments
        self.audit = AuditLog.open(state / AUDIT_LOG, _read(state / "trust" / AUDIT_KEY)) if on.audit else None
        try:
            self.provenance = Provenance(config.publisher) if on.provenance else None
            self.manifest = self._read_manifest()
            self.policy = Policy(*self._policy_texts(), self._epoch) if on.policy else None
        except BaseException:
            self.close()  # whoever mends the state starts again in this process
            raise

    @property
    def _epoch(self) -> int:
        return self.manifest.epoch if self.manifest else 0

    def renew(self) -> None:
        """Take up a newer trust state that was put into place; every decision made before is void.

        Raises:
            ConfigError, ForgedError, TamperedError: it cannot be taken up; the state before stays in force.
        """
        before, self.manifest = self.manifest, self._read_manifest()
        try:
            if self.policy is not None:
                epoch = self._epoch if self.manifest else self.policy.epoch + 1
                self.policy = self.policy.successor(*self._policy_texts(), epoch)
        except BaseException:
            self.manifest = before
            raise
        self.record({"event": "policy", "epoch": self.policy.epoch if self.policy else self._epoch})
        self.release()

    def admit(self, name: str, content: bytes) -> None:
        """Refuse content that the trust manifest does not vouch for. Raises `TamperedError`."""
        if self.manifest is not None:
            self.manifest.check(name, hashlib.sha256(content).digest())

    def admit_code(self, folder: Path) -> dict[Path, bytes] | None:
        """A lever's code and data, all of it as it was signed; None where nobody looks. Raises `TamperedError`."""
        if self.manifest is None:
            return None
        found = {path: path.read_bytes() for path in code_of(folder)}
        for path, content in found.items():
            self.admit(code_name(folder, path), content)
        # Else another file of the name of one that is gone, anywhere on the path of imports, would run in its place.
        signed = {name for name in self.manifest.files if name.startswith(f"levers/{folder.name}/")}
        for name in sorted(signed - {code_name(folder, path) for path in found}):
            if Path(name).suffix in CODE_KINDS:
                raise TamperedError(f"{name} was signed and is not there")
        return found

    def require(self, principal: Uid, action: str, resource: Uid) -> None:
        """Refuse what the policy does not allow. Raises `DeniedError`."""
        if self.policy is not None:
            self.policy.require(principal, action, resource)

    def record(self, event: Mapping[str, Any], encode: Callable[[Any], bytes] = as_json) -> None:
        """Write into the audit log; it is on disk when the turn ends.

        It is encoded at once: what it was made of is in the processor's caches now, and can be freed. `encode`: a
        faster encoder, of whoever has much to tell; to import one takes a tenth of what a start may take.
        """
        if self.audit is not None:
            self._events.append(encode(event))

    @contextmanager
    def turn(self, *, wait: bool = True) -> Iterator[None]:
        """What is done in here is released together: one flush at the end of the outermost turn, also after a fault.

        Without `wait` that flush is only begun: the caller must `settle` before anybody gets to see a result.
        """
        self._turns += 1
        try:
            yield
        except RuntimeFault as fault:
            if not fault.on_record:
                self.record({"event": "refused", "fault": type(fault).__name__, "message": str(fault)})
                fault.on_record = True
            raise
        except Exception as error:
            # What was done before it stays done.
            if self._turns == 1:
                message = str(error)[:_LONGEST_MESSAGE]
                self.record({"event": "failed", "fault": type(error).__name__, "message": message})
            raise
        finally:
            self._turns -= 1
            self.release(wait=wait)

    def release(self, *, wait: bool = True) -> None:
        """Everything recorded so far is on disk when this returns, unless a turn is open. Raises `AuditError`.

        Without `wait` it is on its way to the disk; what was on its way before has arrived.
        """
        if self.audit is not None and self._turns == 0:
            if self._events:
                self.audit.record(*self._events)
                self._events = []
            flush = self.audit.flush if wait else self.audit.begin
            flush(max(self._epoch, self.audit.head.epoch))

    def settle(self) -> None:
        """What was on its way to the disk is there when this returns. Raises `AuditError`."""
        if self.audit is not None:
            self.audit.settle()

    def close(self) -> None:
        """Let go of the audit log."""
        if self.audit is not None:
            self.audit.close()

    def _read_manifest(self) -> Manifest | None:
        if self.provenance is None:
            return None
        found = self.provenance.manifest(_read(self.state / "trust" / MANIFEST), RUNTIME)
        if self.audit is not None and found.epoch < self.audit.head.epoch:
            raise ForgedError(f"the manifest is of policy epoch {found.epoch}, {self.audit.head.epoch} was in force")
        return found

    def _policy_texts(self) -> tuple[str, str]:
        found = []
        for name in (POLICIES, ENTITIES):
            content = _read(self.state / "trust" / name)
            self.admit(name, content)
            found.append(_text(content, name))
        return found[0], found[1]


def code_of(folder: Path) -> list[Path]:
    """What of a lever's folder takes part in a run: its modules, scripts and tables, not its cases and recordings."""
    places = [folder, folder / "tables"]
    return sorted(path for place in places for path in place.glob("*") if path.suffix in CODE_KINDS)


def code_name(folder: Path, path: Path) -> str:
    """The name of a file of a lever in the trust manifest."""
    return f"levers/{folder.name}/{path.relative_to(folder).as_posix()}"


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name} is not UTF-8: {error.reason} at byte {error.start}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
