"""Where evidence is kept: a directory or S3 behind one Protocol."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from prfpipe.errors import SettingsError
from prfpipe.store.base import ObjectInfo, Store, check_key, is_key

__all__ = ["ObjectInfo", "Store", "check_key", "is_key", "open_store"]

_HINT = "Give a folder (./evidence), file:///folder or s3://bucket/prefix?endpoint=http://host:port&region=name."


def open_store(url: str) -> Store:
    """The store that `url` names; nothing is created or contacted yet.

    Args:
        url: a folder (`./evidence`, `/abs/path`, `~/evidence`), `file:///abs/path` or
            `s3://bucket/prefix?endpoint=http://127.0.0.1:9000&region=us-east-1` (prefix and query optional;
            credentials come from the environment, a profile or the machine's role, as boto3 finds them).

    Raises:
        SettingsError: `url` cannot name a store.
    """
    scheme, separator, _ = url.partition("://")
    if not separator:
        return _directory(url)
    if scheme == "file":
        return _directory(_file_path(url))
    if scheme == "s3":
        from prfpipe.store.location import S3Location
        from prfpipe.store.s3 import S3Store

        return S3Store(S3Location.parse(url))
    raise SettingsError(f"no store for {scheme[:20]!a} URLs", hint=_HINT)


def _directory(path: str) -> Store:
    from prfpipe.store.directory import DirectoryStore

    if not path.strip() or "\0" in path:
        raise SettingsError("the store has no name", hint=_HINT)
    return DirectoryStore(Path(path).expanduser())


def _file_path(url: str) -> str:
    parts = urlsplit(url)
    if parts.netloc not in {"", "localhost"} or parts.query or parts.fragment or parts.path in {"", "/"}:
        raise SettingsError("a file URL names one folder on this machine", hint=_HINT)
    return unquote(parts.path)
