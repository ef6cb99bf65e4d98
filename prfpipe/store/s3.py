"""A store in an S3 bucket."""

import base64
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prfpipe.errors import (
    AlreadyExistsError,
    InputError,
    IntegrityError,
    NotFoundError,
    StoreError,
    StoreUnavailableError,
)
from prfpipe.store import s3_errors, s3_pages, s3_traits
from prfpipe.store.base import MAX_GET_BYTES, PAGE_OBJECTS, PROBE, ObjectInfo, Seen, Unfinished, check_key, is_key
from prfpipe.store.deadline import Deadline, Limits, with_retries
from prfpipe.store.files import CHUNK_BYTES, Source, collected, consume, save_new, verified
from prfpipe.store.location import S3Location
from prfpipe.store.s3_client import ExistsError, LockRefusedError, UnknownHeaderError, ask, connect

if TYPE_CHECKING:
    from prfpipe.store.s3_client import ObjectsPage

MAX_LINK_SECONDS = 7 * 24 * 3600

_LOG = logging.getLogger(__name__)


class S3Store:
    """Objects in a bucket, below a prefix. See `Store` for the methods.

    Servers differ: several ignore `If-None-Match` and overwrite, some accept wrong checksums, so both are
    sent and neither is relied on. A put first looks, then writes, and in the end reads everything back.
    """

    kind: Final = "s3"

    def __init__(self, location: S3Location, limits: Limits | None = None) -> None:
        self._location = location
        self._limits = limits or Limits()
        self._conditional = True
        self._lock = location.lock
        self._client = connect(location, self._limits)

    def put(self, key: str, data: bytes | Path, sha256: str) -> None:
        what = f"put {self.url(check_key(key))}"
        source = Source.checked(data, sha256)
        deadline = self._limits.deadline(what, 3 * source.size)
        if self._holds(key, source, what, deadline):
            return
        if self._create(key, source, what, deadline):
            self._verify(key, source, what, deadline, NotFoundError)
        elif not self._holds(key, source, what, deadline, NotFoundError):
            raise s3_errors.refusal(what, "PreconditionFailed", 412, "says that it exists, but does not return it")

    def get(self, key: str, sha256: str | None = None, *, max_bytes: int = MAX_GET_BYTES) -> bytes:
        what = f"get {self.url(check_key(key))}"
        deadline = self._limits.deadline(what, max_bytes if max_bytes < MAX_GET_BYTES else 0)

        def once() -> bytes:
            chunks = self._chunks(key, what, deadline)
            return collected(verified(chunks, what, sha256) if sha256 else chunks, what, max_bytes)

        return with_retries(self._limits, deadline, once)

    def download(self, key: str, to: Path, sha256: str, size: int) -> None:
        what = f"download {self.url(check_key(key))}"
        deadline = self._limits.deadline(what, size)

        def once() -> None:
            save_new(to, verified(self._chunks(key, what, deadline), what, sha256, size))

        with_retries(self._limits, deadline, once)

    def verify(self, key: str, sha256: str, size: int) -> None:
        what = f"verify {self.url(check_key(key))}"
        self._verify(key, Source(b"", sha256, size), what, self._limits.deadline(what, size))

    def list(self, prefix: str = "", *, after: str = "", page: int = PAGE_OBJECTS) -> Iterator[ObjectInfo]:
        what, root, last = f"list {self.url(prefix)}", self._name(""), ""
        asked = self._folder(prefix)
        start = {"StartAfter": self._name(after)} if after else {}
        for found in self._pages("list", prefix, {"MaxKeys": page, **start}):
            for item in found.get("Contents", ()):
                info = s3_pages.object_info(what, item, root)
                if item["Key"] <= last:
                    raise s3_errors.broken_listing(what, "repeats itself or is out of order")
                last = item["Key"]
                # Some servers do not know where to start and begin at the beginning, or list more than was asked for.
                if last.startswith(asked) and is_key(info.key) and info.key > after:
                    yield info

    def folders(self, prefix: str = "") -> Iterator[str]:
        above, last = self._folder(prefix), ""
        for found in self._pages("list the folders of", prefix, {"Delimiter": "/"}):
            inner = [item.get("Prefix", "") for item in found.get("CommonPrefixes", ())]
            # Some servers do not know delimiters and return every object.
            inner += [item.get("Key", "") for item in found.get("Contents", ())]
            parts = (path.removeprefix(above).partition("/") for path in inner)
            # In the order of keys, in which `a-b/` comes before `a/`.
            for folder in sorted({f"{name}/" for name, slash, _ in parts if slash}):
                if folder > last and is_key(folder[:-1]):
                    last = folder
                    yield folder[:-1]

    def exists(self, key: str) -> bool:
        what = f"look for {self.url(check_key(key))}"
        address = self._address(key)
        deadline = self._limits.deadline(what)

        def once() -> bool:
            try:
                ask(what, deadline, lambda: self._client.head_object(**address))
            except NotFoundError:
                # A HEAD does not say what is missing; no bucket must not look like no object.
                self._require_bucket(what, deadline)
                return False
            return True

        return with_retries(self._limits, deadline, once)

    def delete(self, key: str) -> None:
        self._remove(f"delete {self.url(check_key(key))}", lambda: self._client.delete_object(**self._address(key)))

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

    def traits(self, folder: str) -> Mapping[str, Seen]:
        """See `Store.traits`."""
        trial = s3_traits.Trial(self._client, self._limits, self._location, self._name(check_key(folder)))
        return {
            "clock": trial.clock(),
            "versioning": trial.versioning(),
            "object-lock": trial.object_lock(),
        }

    def unfinished(self, prefix: str = "") -> Iterator[Unfinished]:
        """See `Store.unfinished`: uploads in parts, which this class never makes, but other tools do."""
        what = f"list the uploads below {self.url(prefix)}"
        folder = self._folder(prefix)
        # What servers answer that know no such uploads, or have none.
        with suppress(UnknownHeaderError, NotFoundError):
            for found in s3_pages.upload_pages(self._client, self._limits, what, self._location.bucket, folder):
                uploads = (s3_pages.upload(what, item) for item in found.get("Uploads", ()))
                yield from (upload for upload in uploads if upload.name.startswith(folder))

    def discard(self, leftover: Unfinished) -> None:
        address: dict[str, Any] = {"Bucket": self._location.bucket, "Key": leftover.name, "UploadId": leftover.id}
        what = f"abort the upload of {leftover.name[:80]!a}"
        self._remove(what, lambda: self._client.abort_multipart_upload(**address))

    def link(self, key: str, seconds: int) -> str:
        if not 1 <= seconds <= MAX_LINK_SECONDS:
            raise InputError(
                "a link to an object in S3 is good for at most 7 days", hint="Make one that ends sooner: --expires 7d."
            )
        named = {**self._address(check_key(key)), "ResponseContentDisposition": "inline"}
        if key.endswith(".html"):
            named["ResponseContentType"] = "text/html; charset=utf-8"
        what = f"make a link to {self.url(key)}"
        sign = self._client.generate_presigned_url
        return ask(what, self._limits.deadline(what), lambda: sign("get_object", Params=named, ExpiresIn=seconds))

    def url(self, key: str = "") -> str:
        return self._location.url(key)

    def _name(self, key: str) -> str:
        return f"{self._location.prefix}/{key}" if self._location.prefix else key

    def _folder(self, prefix: str) -> str:
        return self._name(check_key(prefix) + "/" if prefix else "")

    def _address(self, key: str) -> dict[str, Any]:
        return {"Bucket": self._location.bucket, "Key": self._name(key)}

    def _pages(self, verb: str, prefix: str, options: dict[str, Any]) -> "Iterator[ObjectsPage]":
        folder = self._folder(prefix)
        where = {"Bucket": self._location.bucket, "Prefix": folder, **options}
        return s3_pages.object_pages(self._client, self._limits, f"{verb} {self.url(prefix)}", where)

    def _holds(self, key: str, source: Source, what: str, deadline: Deadline, *retried: type[StoreError]) -> bool:
        """Whether the object is there with this content; other content raises."""
        try:
            self._verify(key, source, what, deadline, *retried)
        except NotFoundError:
            return False
        except IntegrityError as error:
            raise AlreadyExistsError(
                f"{what}: the store has other content under this name",
                hint="Evidence is written once and never replaced: start a new run, which gets a new run id.",
            ) from error
        return True

    def _verify(self, key: str, source: Source, what: str, deadline: Deadline, *retried: type[StoreError]) -> None:
        def once() -> None:
            consume(verified(self._chunks(key, what, deadline), what, source.sha256, source.size))

        with_retries(self._limits, deadline, once, *retried)

    def _create(self, key: str, source: Source, what: str, deadline: Deadline) -> bool:
        """Write the object; false if it is there already."""
        failed = False

        def once() -> bool:
            nonlocal failed
            # Where conditions are ignored, sending again could overwrite what a rival wrote after our lost answer.
            if failed and self._holds(key, source, what, deadline):
                return False
            failed = True
            return self._send(key, source, what, deadline, conditional=self._conditional)

        return with_retries(self._limits, deadline, once)

    def _send(self, key: str, source: Source, what: str, deadline: Deadline, *, conditional: bool) -> bool:
        """One PUT; false if the server says that the object exists. What a server does not know is left out."""
        checksum = base64.b64encode(bytes.fromhex(source.sha256)).decode()
        lock = {} if key.startswith(f"{PROBE}/") else self._retention()
        extra: dict[str, Any] = {"IfNoneMatch": "*", **lock} if conditional else lock

        def request() -> None:
            with source.open() as body:
                self._client.put_object(**self._address(key), Body=body, ChecksumSHA256=checksum, **extra)

        try:
            ask(what, deadline, request)
        except ExistsError:
            return False
        except (UnknownHeaderError, LockRefusedError) as refused:
            if not self._leave_out(refused, conditional=conditional, locked=bool(lock)):
                raise
            again = conditional and isinstance(refused, LockRefusedError)
            return self._send(key, source, what, deadline, conditional=again)
        return True

    def _retention(self) -> dict[str, Any]:
        return self._lock.headers(datetime.now(UTC)) if self._lock else {}

    def _leave_out(self, refused: StoreError, *, conditional: bool, locked: bool) -> bool:
        """Whether the request may do without what the server refused; from now on it is not sent any more."""
        if conditional and isinstance(refused, UnknownHeaderError):
            self._conditional = False
            return True
        if locked:
            self._lock = None
            _LOG.warning("%s keeps no object locks: evidence is stored without retention", self.url())
        return locked

    def _chunks(self, key: str, what: str, deadline: Deadline) -> Iterator[bytes]:
        body = ask(what, deadline, lambda: self._client.get_object(**self._address(key)))["Body"]
        try:
            while chunk := ask(what, deadline, lambda: body.read(CHUNK_BYTES)):
                yield chunk
        finally:
            deadline.close(body.close)

    def _remove(self, what: str, request: Callable[[], object]) -> None:
        deadline = self._limits.deadline(what)

        def once() -> None:
            with suppress(NotFoundError):
                ask(what, deadline, request)

        with_retries(self._limits, deadline, once)

    def _require_bucket(self, what: str, deadline: Deadline) -> None:
        bucket = self._location.bucket
        try:
            ask(what, deadline, lambda: self._client.head_bucket(Bucket=bucket))
        except NotFoundError as error:
            raise s3_errors.missing_bucket(what, bucket) from error
