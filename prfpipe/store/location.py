"""An S3 URL taken apart, without importing an S3 client."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from prfpipe.errors import SettingsError
from prfpipe.store.base import is_key

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_REGION = re.compile(r"[a-z0-9-]{1,40}", re.ASCII)
MAX_LOCK_DAYS = 36_500

_OPTIONS = ("endpoint", "region", "lock", "days")
_MODES = ("governance", "compliance")
_HINT = "Write s3://bucket/prefix?endpoint=http://host:port&region=name; only the bucket is needed."
_LOCK_HINT = f"Write lock=governance&days=365, or lock=compliance; at most {MAX_LOCK_DAYS} days."
_NO_SECRETS = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE instead: URLs end up in logs."


@dataclass(frozen=True, slots=True)
class Lock:
    """How long what is stored can be neither replaced nor removed: S3's object lock, `governance` or `compliance`."""

    mode: str
    days: int

    @classmethod
    def parse(cls, mode: str | None, days: str | None) -> "Lock | None":
        """Read `lock=…&days=…`; None without both. Raises `SettingsError`."""
        if mode is None and days is None:
            return None
        number = int(days) if days and days.isascii() and days.isdigit() and len(days) < 6 else 0
        if mode not in _MODES or not 1 <= number <= MAX_LOCK_DAYS:
            raise SettingsError("the lock in the store's URL needs a mode and a number of days", hint=_LOCK_HINT)
        return cls(mode, number)

    def headers(self, now: datetime, term: timedelta | None = None) -> dict[str, Any]:
        """The parameters of a put; `term` instead of the days is for trying it out."""
        until = now + (term or timedelta(days=self.days))
        return {"ObjectLockMode": self.mode.upper(), "ObjectLockRetainUntilDate": until}


@dataclass(frozen=True, slots=True)
class S3Location:
    """A bucket, the folder in it, where it is served (AWS itself without an endpoint), and what to lock."""

    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None
    lock: Lock | None = None

    @classmethod
    def parse(cls, url: str) -> "S3Location":
        """Read `s3://bucket/prefix?endpoint=…&region=…&lock=…&days=…`.

        Raises:
            SettingsError: a part is missing, unknown or malformed, or credentials stand in the URL.
        """
        parts = _split(url)
        options = _options(parts.query)
        prefix = parts.path.strip("/")
        _require(parts.scheme == "s3" and not parts.fragment, "the URL of an S3 store is malformed")
        _require(_BUCKET.fullmatch(parts.netloc), f"{parts.netloc[:80]!a} is not a bucket name")
        _require(not prefix or is_key(prefix), f"{prefix[:80]!a} cannot be a prefix")
        lock = Lock.parse(options.get("lock"), options.get("days"))
        return cls(parts.netloc, prefix, _endpoint(options.get("endpoint")), _region(options.get("region")), lock)

    def url(self, key: str = "") -> str:
        """The URL of an object, or of the whole store; carries endpoint and region along, the store's its lock too."""
        path = "/".join(part for part in (self.prefix, key) if part)
        query = {"endpoint": self.endpoint, "region": self.region}
        if self.lock and not key:
            query |= {"lock": self.lock.mode, "days": str(self.lock.days)}
        given = urlencode({name: value for name, value in query.items() if value}, safe=":/")
        return f"s3://{self.bucket}/{path}" + (f"?{given}" if given else "")


def _require(condition: object, message: str) -> None:
    if not condition:
        raise SettingsError(message, hint=_HINT)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise SettingsError("the URL of a store is malformed", hint=_HINT) from error
    if "@" in parts.netloc:
        raise SettingsError("the URL of a store must not hold credentials", hint=_NO_SECRETS)
    return parts


def _options(query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=8)
    except ValueError as error:
        raise SettingsError("what follows '?' in the store's URL is malformed", hint=_HINT) from error
    options = dict(pairs)
    _require(len(options) == len(pairs), "an option stands twice in the store's URL")
    unknown = sorted(set(options) - set(_OPTIONS))
    _require(not unknown, f"unknown options in the store's URL: {ascii(unknown)[:80]}")
    return options


def _endpoint(value: str | None) -> str | None:
    if value is None:
        return None
    parts = _split(value)
    usable = parts.scheme in {"http", "https"} and parts.hostname and not parts.query and not parts.fragment
    # Its text is not repeated: without a scheme a key in it would not be seen to be one.
    _require(usable, "the endpoint in the store's URL is not an http or https URL")
    return value


def _region(value: str | None) -> str | None:
    _require(value is None or _REGION.fullmatch(value), f"{ascii(value)[:80]} is not a region")
    return value
