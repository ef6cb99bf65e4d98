"""A store in an S3 bucket. The only importer of boto3."""

import base64
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from boto3.session import Session
from botocore import exceptions as boto
from botocore.config import Config
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from prfpipe.errors import (
    AlreadyExistsError,
    IntegrityError,
    NotFoundError,
    StoreError,
    StoreUnavailableError,
)
from prfpipe.store import s3_errors
from prfpipe.store.base import MAX_GET_BYTES, ObjectInfo, check_key, is_key
from prfpipe.store.deadline import Deadline, Limits, with_retries
from prfpipe.store.files import CHUNK_BYTES, Source, collected, save_new, verified
from prfpipe.store.location import S3Location

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef

T = TypeVar("T")

MAX_PAGES = 100_000
_FAILURES = (boto.BotoCoreError, boto.ClientError, ResponseParserError, HTTPError)


class S3Store:
    """Objects in a bucket, below a prefix. See `Store` for the methods.

    Servers differ: several ignore `If-None-Match` and overwrite, some accept wrong checksums, so both are
    sent and neither is relied on. A put first looks, then writes, and in the end reads everything back.
    """

    def __init__(self, location: S3Location, limits: Limits | None = None) -> None:
        self._location = location
        self._limits = limits or Limits()
        self._conditional = True
        self._client = _connect(location, self._limits)

    def put(self, key: str, data: bytes | Path, sha256: str) -> None:
        what = f"put {self.url(check_key(key))}"
        source = Source.checked(data, sha256)
        if self._holds(key, source, what):
            return
        if self._create(key, source, what):
            self._verify(key, source, what, NotFoundError)
        elif not self._holds(key, source, what, NotFoundError):
            raise s3_errors.refusal(what, "PreconditionFailed", 412, "says that it exists, but does not return it")

    def get(self, key: str, sha256: str | None = None, *, max_bytes: int = MAX_GET_BYTES) -> bytes:
        what = f"get {self.url(check_key(key))}"

        def once(deadline: Deadline) -> bytes:
            chunks = self._chunks(key, what, deadline)
            return collected(verified(chunks, what, sha256) if sha256 else chunks, what, max_bytes)

        return with_retries(self._limits, what, 0, once)

    def download(self, key: str, to: Path, sha256: str, size: int) -> None:
        what = f"download {self.url(check_key(key))}"

        def once(deadline: Deadline) -> None:
            save_new(to, verified(self._chunks(key, what, deadline), what, sha256, size))

        with_retries(self._limits, what, size, once)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        what = f"list {self.url(check_key(prefix) if prefix else '')}"
        root = self._name("")
        last = ""
        for page in self._pages(what, self._name(prefix + "/" if prefix else "")):
            for item in page.get("Contents", ()):
                if item["Key"] <= last:
                    raise s3_errors.broken_listing(what, "repeats itself or is out of order")
                last = item["Key"]
                key = last.removeprefix(root)
                if last.startswith(root) and is_key(key):
                    yield ObjectInfo(key, item["Size"], item["LastModified"].astimezone(UTC))

    def exists(self, key: str) -> bool:
        what = f"look for {self.url(check_key(key))}"
        address = self._address(key)

        def once(deadline: Deadline) -> bool:
            try:
                _ask(what, deadline, lambda: self._client.head_object(**address))
            except NotFoundError:
                # A HEAD does not say what is missing; no bucket must not look like no object.
                self._require_bucket(what, deadline)
                return False
            return True

        return with_retries(self._limits, what, 0, once)

    def delete(self, key: str) -> None:
        what = f"delete {self.url(check_key(key))}"
        address = self._address(key)

        def once(deadline: Deadline) -> None:
            with suppress(NotFoundError):
                _ask(what, deadline, lambda: self._client.delete_object(**address))

        with_retries(self._limits, what, 0, once)

    def attempt(self, key: str, data: bytes, *, claimed_sha256: str, only_if_absent: bool) -> bool:
        """See `Store.attempt`; one request, without a retry."""
        what = f"probe {self.url(check_key(key))}"
        source = Source(data, claimed_sha256, len(data))
        deadline = self._limits.deadline(what, len(data))
        try:
            return self._send(key, source, what, deadline, conditional=only_if_absent)
        except (StoreUnavailableError, NotFoundError):
            raise
        except StoreError:
            return False

    def url(self, key: str = "") -> str:
        return self._location.url(key)

    def _name(self, key: str) -> str:
        return f"{self._location.prefix}/{key}" if self._location.prefix else key

    def _address(self, key: str) -> dict[str, Any]:
        return {"Bucket": self._location.bucket, "Key": self._name(key)}

    def _holds(self, key: str, source: Source, what: str, *retried: type[StoreError]) -> bool:
        """Whether the object is there with this content; other content raises."""
        try:
            self._verify(key, source, what, *retried)
        except NotFoundError:
            return False
        except IntegrityError as error:
            raise AlreadyExistsError(
                f"{what}: the store has other content under this name",
                hint="Evidence is written once and never replaced: start a new run, which gets a new run id.",
            ) from error
        return True

    def _verify(self, key: str, source: Source, what: str, *retried: type[StoreError]) -> None:
        def once(deadline: Deadline) -> None:
            for _ in verified(self._chunks(key, what, deadline), what, source.sha256, source.size):
                pass

        with_retries(self._limits, what, source.size, once, *retried)

    def _create(self, key: str, source: Source, what: str) -> bool:
        def once(deadline: Deadline) -> bool:
            return self._send(key, source, what, deadline, conditional=self._conditional)

        return with_retries(self._limits, what, source.size, once)

    def _send(self, key: str, source: Source, what: str, deadline: Deadline, *, conditional: bool) -> bool:
        """One PUT; false if the server says that the object exists."""
        checksum = base64.b64encode(bytes.fromhex(source.sha256)).decode()
        extra: dict[str, Any] = {"IfNoneMatch": "*"} if conditional else {}

        def request() -> None:
            with source.open() as body:
                self._client.put_object(**self._address(key), Body=body, ChecksumSHA256=checksum, **extra)

        try:
            _ask(what, deadline, request)
        except _ExistsError:
            return False
        except _NotImplementedError:
            if not conditional:
                raise
            self._conditional = False
            return self._send(key, source, what, deadline, conditional=False)
        return True

    def _chunks(self, key: str, what: str, deadline: Deadline) -> Iterator[bytes]:
        body = _ask(what, deadline, lambda: self._client.get_object(**self._address(key)))["Body"]
        try:
            while chunk := _ask(what, deadline, lambda: body.read(CHUNK_BYTES)):
                yield chunk
        finally:
            deadline.close(body.close)

    def _pages(self, what: str, prefix: str) -> "Iterator[ListObjectsV2OutputTypeDef]":
        position: dict[str, Any] = {}
        for _ in range(MAX_PAGES):
            page = self._page(what, prefix, position)
            if "IsTruncated" not in page:
                raise s3_errors.not_s3(what, "the answer is not a listing")
            yield page
            if not page.get("IsTruncated"):
                return
            if not page.get("NextContinuationToken"):
                raise s3_errors.broken_listing(what, "stops in the middle")
            position = {"ContinuationToken": page["NextContinuationToken"]}
        raise s3_errors.broken_listing(what, "does not end")

    def _page(self, what: str, prefix: str, position: dict[str, Any]) -> "ListObjectsV2OutputTypeDef":
        def request() -> "ListObjectsV2OutputTypeDef":
            return self._client.list_objects_v2(Bucket=self._location.bucket, Prefix=prefix, **position)

        return with_retries(self._limits, what, 0, lambda deadline: _ask(what, deadline, request))

    def _require_bucket(self, what: str, deadline: Deadline) -> None:
        bucket = self._location.bucket
        try:
            _ask(what, deadline, lambda: self._client.head_bucket(Bucket=bucket))
        except NotFoundError as error:
            raise s3_errors.missing_bucket(what, bucket) from error


class _ExistsError(StoreError):
    """The server honours `If-None-Match` and has the object."""


class _NotImplementedError(StoreError):
    """The server does not know a header that was sent."""


def _connect(location: S3Location, limits: Limits) -> "S3Client":
    config = Config(
        connect_timeout=limits.connect,
        read_timeout=limits.read,
        retries={"total_max_attempts": 1, "mode": "standard"},
        # Newer defaults send trailing checksums, which many servers store as part of the object or refuse.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path" if location.endpoint else "auto"},
    )
    try:
        session = Session()
        region = location.region or session.region_name or "us-east-1"
        return session.client("s3", region_name=region, endpoint_url=location.endpoint, config=config)
    except (*_FAILURES, ValueError) as error:
        raise _meaning(f"open {location.url()}", error) from error


def _ask(what: str, deadline: Deadline, request: Callable[[], T]) -> T:
    """What the server answers before the deadline, its refusals as our errors."""
    try:
        return deadline.run(request)
    except _FAILURES as error:
        raise _meaning(what, error) from error


def _meaning(what: str, error: Exception) -> StoreError:
    if isinstance(error, boto.ClientError):
        return _refusal(what, error)
    for kinds, reason in _REASONS:
        if isinstance(error, kinds):
            return s3_errors.no_connection(what, _reason(error, reason))
    if isinstance(error, _NO_CREDENTIALS):
        return s3_errors.no_credentials(what, str(error))
    return s3_errors.not_s3(what, str(error))


def _refusal(what: str, error: boto.ClientError) -> StoreError:
    details = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = details.get("Code") or str(status)
    refused = s3_errors.refusal(what, code, status, details.get("Message", ""))
    kind = {412: _ExistsError, 501: _NotImplementedError}.get(status)
    return kind(refused.message, hint=refused.hint) if kind else refused


def _reason(error: Exception, reason: str) -> str:
    cause = getattr(error, "kwargs", {}).get("error")
    return "name" if type(cause).__name__ == "NameResolutionError" else reason


_REASONS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    (boto.SSLError, "tls"),
    ((boto.ConnectTimeoutError, boto.ReadTimeoutError), "timeout"),
    ((boto.EndpointConnectionError, boto.ProxyConnectionError), "refused"),
    ((boto.HTTPClientError, boto.IncompleteReadError, HTTPError), "cut"),
)
_NO_CREDENTIALS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.ProfileNotFound,
    boto.SSOError,
    boto.TokenRetrievalError,
)
