"""The runtime's configuration, and which instruments are on."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple, Self

from gates.runtime.errors import ConfigError

INSTRUMENTS = ("provenance", "policy", "audit")


class Instruments(NamedTuple):
    """Which parts of the security instrumentation are on."""

    provenance: bool = True
    policy: bool = True
    audit: bool = True

    @classmethod
    def of(cls, names: Collection[str]) -> Self:
        """Exactly these, by the names of `INSTRUMENTS`.

        Raises:
            ConfigError: one has no such name; it must not be off because of a typing error.
        """
        if unknown := set(names) - set(INSTRUMENTS):
            raise ConfigError(f"no such instrument: {', '.join(sorted(unknown))}")
        return cls(*(name in names for name in INSTRUMENTS))


class Config(NamedTuple):
    """`publisher`: the ed25519 public key, 32 bytes."""

    publisher: bytes
    instruments: Instruments


def load_config(path: Path) -> Config:
    """Read a configuration file.

    Raises:
        ConfigError: it is not there, not JSON, or lacks something.
    """
    try:
        data = json.loads(path.read_bytes())
        publisher = bytes.fromhex(data["publisher"])
        found = Config(publisher, Instruments.of(data["instruments"]))
    except (ConfigError, OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"{path}: {type(error).__name__}: {error}") from error
    if len(publisher) != 32:
        raise ConfigError(f"{path}: publisher is not a key of 32 bytes")
    return found
