"""What only an S3 server can tell about itself: its clock, versions and locks. Tried, not asked, where it can be."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from prfpipe.errors import NotFoundError, StoreError, StoreUnavailableError
from prfpipe.store.base import Seen, clock_seen
from prfpipe.store.deadline import Limits
from prfpipe.store.location import Lock, S3Location
from prfpipe.store.s3_client import LockRefusedError, T, UnknownHeaderError, ask

if TYPE_CHECKING:
    from prfpipe.store.s3_client import Client

_TRIAL_LOCK = timedelta(minutes=1)
_NO_LOCKS = (LockRefusedError, UnknownHeaderError, NotFoundError)


@dataclass(frozen=True, slots=True)
class Trial:
    """A bucket, and a folder in it to try things in."""

    client: "Client"
    limits: Limits
    location: S3Location
    folder: str

    def clock(self) -> Seen:
        """The server's own clock, from the Date of an answer."""
        before = datetime.now(UTC)
        try:
            answer = self._ask("read the clock", lambda: self.client.head_bucket(Bucket=self.location.bucket))
            stamp = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        except (StoreError, KeyError, ValueError):
            return None, "the server does not tell its time"
        # The Date is in whole seconds, rounded down.
        return clock_seen(before - timedelta(seconds=1), stamp.astimezone(UTC), datetime.now(UTC))

    def versioning(self) -> Seen:
        """Whether an object that is overwritten or deleted can be had back."""
        try:
            found = self._ask("versioning", lambda: self.client.get_bucket_versioning(Bucket=self.location.bucket))
        except StoreError as error:
            return None, error.message
        on = found.get("Status") == "Enabled"
        return on, "older versions are kept" if on else "what is overwritten or deleted is gone"

    def object_lock(self) -> Seen:
        """With `lock` in the store's URL: whether a locked object can be deleted. Without: what the bucket says."""
        try:
            return self._own_lock(self.location.lock) if self.location.lock else self._bucket_lock()
        except _NO_LOCKS:
            return False, "the bucket keeps no object locks"
        except StoreUnavailableError:
            raise
        except StoreError as error:
            return None, error.message

    def _bucket_lock(self) -> Seen:
        bucket = self.location.bucket
        found = self._ask("lock", lambda: self.client.get_object_lock_configuration(Bucket=bucket))
        rule = found.get("ObjectLockConfiguration", {}).get("Rule", {}).get("DefaultRetention")
        if not rule or "Mode" not in rule:
            return False, "the bucket locks nothing by itself; the store's URL can ask for it: lock=governance&days=30"
        term = f"{rule['Days']} days" if "Days" in rule else f"{rule.get('Years', 0)} years"
        return True, f"the bucket locks every object: {rule['Mode'].lower()}, {term}"

    def _own_lock(self, lock: Lock) -> Seen:
        """Lock an object for a minute, and try to delete it."""
        target: dict[str, Any] = {"Bucket": self.location.bucket, "Key": f"{self.folder}/locked"}
        headers = lock.headers(datetime.now(UTC), _TRIAL_LOCK)
        checksum = base64.b64encode(sha256(b"locked").digest()).decode()
        body: dict[str, Any] = {"Body": b"locked", "ChecksumSHA256": checksum}
        kept = self._ask("lock an object", lambda: self.client.put_object(**target, **body, **headers))
        found = self._ask("read a lock", lambda: self.client.get_object_retention(**target))
        if found.get("Retention", {}).get("Mode") != headers["ObjectLockMode"] or "VersionId" not in kept:
            return False, "locks are accepted, but not kept"
        version = kept["VersionId"]
        try:
            self._ask("delete a locked object", lambda: self.client.delete_object(**target, VersionId=version))
        except StoreUnavailableError:
            raise
        except StoreError:
            return True, f"a locked object cannot be deleted; evidence is locked: {lock.mode}, {lock.days} days"
        return False, "a locked object can be deleted"

    def _ask(self, what: str, request: Callable[[], T]) -> T:
        what = f"probe {self.location.url()}: {what}"
        return ask(what, self.limits.deadline(what), request)
