"""Listings of an S3 server, a page at a time, that are whole or an error."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from prfpipe.store import s3_errors
from prfpipe.store.deadline import Limits, with_retries
from prfpipe.store.s3_client import ask

if TYPE_CHECKING:
    from prfpipe.store.s3_client import Client, ObjectsPage, UploadsPage

MAX_PAGES = 100_000


def object_pages(client: "Client", limits: Limits, what: str, where: dict[str, Any]) -> "Iterator[ObjectsPage]":
    """The pages of ListObjectsV2; `where` holds bucket and prefix, and further parameters of the request.

    Raises:
        StoreError: a page is no listing, stops in the middle, does not go on from the page before it, or the
            listing does not end.
    """
    position: dict[str, Any] = {}
    last = ""
    for _ in range(MAX_PAGES):
        page = _object_page(client, limits, what, {**where, **position})
        if "IsTruncated" not in page:
            raise s3_errors.not_s3(what, "the answer is not a listing")
        names = [item["Key"] for item in page.get("Contents", ())]
        names += [item["Prefix"] for item in page.get("CommonPrefixes", ())]
        # Who only skips what is known already would follow a page that points to itself for ever.
        if names and max(names) <= last:
            raise s3_errors.broken_listing(what, "repeats itself or is out of order")
        last = max(names, default=last)
        yield page
        if not page.get("IsTruncated"):
            return
        if not page.get("NextContinuationToken"):
            raise s3_errors.broken_listing(what, "stops in the middle")
        position = {"ContinuationToken": page["NextContinuationToken"]}
    raise s3_errors.broken_listing(what, "does not end")


def _object_page(client: "Client", limits: Limits, what: str, where: dict[str, Any]) -> "ObjectsPage":
    deadline = limits.deadline(what)
    return with_retries(limits, deadline, lambda: ask(what, deadline, lambda: client.list_objects_v2(**where)))


def upload_pages(client: "Client", limits: Limits, what: str, bucket: str, prefix: str) -> "Iterator[UploadsPage]":
    """The pages of ListMultipartUploads.

    Raises:
        UnknownHeaderError: the server has no uploads in parts.
        StoreError: the listing does not end.
    """
    where: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix}
    for _ in range(MAX_PAGES):
        page = _upload_page(client, limits, what, where)
        yield page
        if not page.get("IsTruncated"):
            return
        where |= {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
    raise s3_errors.broken_listing(what, "does not end")


def _upload_page(client: "Client", limits: Limits, what: str, where: dict[str, Any]) -> "UploadsPage":
    deadline = limits.deadline(what)
    return with_retries(limits, deadline, lambda: ask(what, deadline, lambda: client.list_multipart_uploads(**where)))
