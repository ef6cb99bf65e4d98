"""Settings: PRFPIPE_* environment variables with their defaults."""

import os
from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableError

from prfpipe.errors import SettingsError
from prfpipe.host import NAME_PATTERN, NOISE_LIMIT_PERCENT


def _default_keys() -> Path:
    """A folder of this user, not of a project (XDG Base Directory Specification 0.8)."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    return Path(base if base.startswith("/") else "~/.config", "prfpipe", "keys")


class Settings(BaseSettings):
    """Each field is one variable: `store` is PRFPIPE_STORE. Paths are relative to the current folder."""

    model_config = SettingsConfigDict(env_prefix="PRFPIPE_", frozen=True)

    store: str = Field("./evidence", description="Evidence store: a folder or s3://bucket/prefix?endpoint=URL")
    stores: dict[str, str] = Field(
        default_factory=dict, description="More stores by name, for runs that are started from a form: a JSON object"
    )
    runs: Path = Field(Path(".prfpipe/runs"), description="Where runs are kept while they are made")
    # Not `keys`: an object that has `keys` is taken for a mapping, by dict() and so by Prefect.
    key_folder: Path = Field(
        default_factory=_default_keys, description="Folder of signing keys and of keys that are trusted"
    )
    chains: Path = Field(Path(".prfpipe/chains"), description="Journals of each lever's statements, one for each key")
    seen: Path = Field(
        Path(".prfpipe/seen"),
        description="What the flow `audit-archive` keeps: where each chain ended last time (the command: --seen FILE)",
    )
    levers: Path = Field(Path("levers"), description="Folder that holds the lever folders")
    gates: Path = Field(Path("gates"), description="Folder that holds the gates' folders")
    gate_reports: Path = Field(Path(".prfpipe/gates"), description="Where gates write their reports")
    up: Path = Field(Path(".prfpipe/up"), description="Where `prfpipe up` keeps its server's database, logs and keys")
    webhook: str | None = Field(
        None,
        description="URL that is told of confirmed losses of a gain and failures of a gate, and of refused archives; "
        "read by `prfpipe up` and `python -m flows.automations`, not by workers",
    )
    subject_timeout_seconds: float = Field(60.0, gt=0, le=86_400, description="Longest wait for one answer")
    host: str | None = Field(
        None, pattern=NAME_PATTERN, description="What this machine is called in evidence (default: its own name)"
    )
    lock: Path | None = Field(None, description="File that a measuring process locks (default: /tmp/prfpipe-host.lock)")
    noise_limit_percent: float = Field(
        NOISE_LIMIT_PERCENT, gt=0, allow_inf_nan=False, description="Spread of equal work above which a host is refused"
    )


_JSON = """Write a JSON object: PRFPIPE_STORES='{"team": "s3://bucket/prefix"}'."""


def load_settings() -> Settings:
    """Settings from the environment.

    Raises:
        SettingsError: a variable's value is not valid; the message names the variable.
    """
    try:
        return Settings()
    except UnreadableError as error:
        raise SettingsError(f"PRFPIPE_STORES: {error}", hint=_JSON) from error
    except ValidationError as error:
        first = error.errors()[0]
        name = "PRFPIPE_" + "_".join(str(part) for part in first["loc"]).upper()
        raise SettingsError(f"{name}: {first['msg']}", hint="Correct or unset the variable.") from error
