"""The publisher's side: puts a runtime's state into a folder and signs it. Never part of what is timed.

The key is made from a known text, so that measurements can be repeated: it protects nothing outside of them.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gates.runtime.audit import AuditLog
from gates.runtime.config import INSTRUMENTS
from gates.runtime.levers import LEVERS
from gates.runtime.manifest import Manifest, sealed
from gates.runtime.trust import AUDIT_KEY, AUDIT_LOG, ENTITIES, MANIFEST, POLICIES, RUNTIME, code_name, code_of

HERE = Path(__file__).resolve().parent
CODE = ("lev_01_compat_cache", "lev_02_lockstep", "lev_03_zero_copy", "lev_04_batch_policy", "lev_05_scheduler")
COPIES = 4


def key_of(text: str = "gates") -> Ed25519PrivateKey:
    """The key that a text stands for."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(text.encode()).digest())


def install(
    state: Path,
    *,
    key: Ed25519PrivateKey | None = None,
    policies: str | None = None,
    extensions: Mapping[str, str] | None = None,
    instruments: Iterable[str] = INSTRUMENTS,
) -> Path:
    """Make a state folder, with an empty audit log, for a runtime that has never run; returns its configuration.

    `policies` in Cedar's language and `extensions` (name to source) stand in place of those of this folder.
    """
    key = key or key_of()
    (state / "trust").mkdir(parents=True)
    _put_extensions(state / "extensions", extensions)
    shutil.copy(HERE / ENTITIES, state / "trust" / ENTITIES)
    audit_key = state / "trust" / AUDIT_KEY
    audit_key.write_bytes(os.urandom(32))
    audit_key.chmod(0o600)
    AuditLog.create(state / AUDIT_LOG, audit_key.read_bytes(), epoch=1)
    publish(state, policies or (HERE / POLICIES).read_text(encoding="utf-8"), epoch=1, key=key)
    config = state / "config.json"
    publisher = key.public_key().public_bytes_raw().hex()
    config.write_text(
        json.dumps({"publisher": publisher, "instruments": list(instruments)}, indent=1), encoding="utf-8"
    )
    return config


def publish(state: Path, policies: str, *, epoch: int, key: Ed25519PrivateKey | None = None) -> None:
    """Put a policy in place and sign it, with the extensions and the code as they are now."""
    trust = state / "trust"
    (trust / POLICIES).write_text(policies, encoding="utf-8")
    files = {name: digest_of(trust / name) for name in (POLICIES, ENTITIES)}
    files |= {f"extensions/{path.name}": digest_of(path) for path in sorted((state / "extensions").glob("*.py"))}
    for name in CODE:
        files |= {code_name(LEVERS / name, path): digest_of(path) for path in code_of(LEVERS / name)}
    files["levers/lev_02_lockstep/corpus"] = bytes.fromhex(_corpus())
    (trust / MANIFEST).write_bytes(sealed(Manifest(RUNTIME, epoch, epoch, files), key or key_of()))


def sign_folder(folder: Path, name: str, version: int, key: Ed25519PrivateKey | None = None) -> bytes:
    """The envelope of a manifest of every file in a folder, by its path in it."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = {path.relative_to(folder).as_posix(): digest_of(path) for path in paths}
    return sealed(Manifest(name, version, 0, files), key or key_of())


def shipped_extensions() -> dict[str, str]:
    """Sources by name: `COPIES` of each file in `extensions/`, as `redact_1`, `redact_2` and so on."""
    sources = {path.stem: path.read_text(encoding="utf-8") for path in sorted((HERE / "extensions").glob("*.py"))}
    return {f"{stem}_{copy}": source for copy in range(1, COPIES + 1) for stem, source in sources.items()}


def _put_extensions(folder: Path, extensions: Mapping[str, str] | None) -> None:
    folder.mkdir()
    for name, source in (shipped_extensions() if extensions is None else extensions).items():
        (folder / f"{name}.py").write_text(source, encoding="utf-8")


def _corpus() -> str:
    recorded = json.loads((LEVERS / "lev_02_lockstep" / "recordings" / "manifest.json").read_bytes())
    found: str = recorded["corpus"]
    return found


def digest_of(path: Path) -> bytes:
    """sha256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).digest()
