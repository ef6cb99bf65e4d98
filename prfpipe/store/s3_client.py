"""The connection to an S3 server: the only importer of boto3, and where its errors become ours."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from boto3.session import Session
from botocore import exceptions as boto
from botocore.config import Config
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from prfpipe.errors import StoreError
from prfpipe.store import s3_errors
from prfpipe.store.deadline import Deadline, Limits
from prfpipe.store.location import S3Location

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client as Client
    from mypy_boto3_s3.type_defs import ListMultipartUploadsOutputTypeDef as UploadsPage
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef as ObjectsPage

    __all__ = ["Client", "ObjectsPage", "UploadsPage"]

T = TypeVar("T")

_FAILURES = (boto.BotoCoreError, boto.ClientError, ResponseParserError, HTTPError)


class ExistsError(StoreError):
    """The server honours `If-None-Match` and has the object."""


class UnknownHeaderError(StoreError):
    """The server does not know the request, or a header that was sent."""


class LockRefusedError(StoreError):
    """The bucket keeps no object locks."""


def connect(location: S3Location, limits: Limits) -> "Client":
    """A client for the location. No retries of its own, and no checksums that many servers do not know.

    Raises:
        StoreError: the credentials or the configuration cannot be used; nothing was sent.
    """
    config = Config(
        connect_timeout=limits.connect,
        read_timeout=limits.read,
        retries={"total_max_attempts": 1, "mode": "standard"},
        # Newer defaults send trailing checksums, which many servers store as part of the object or refuse.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        # The older signature is still the default for links, and some servers do not take it.
        signature_version="s3v4",
        s3={"addressing_style": "path" if location.endpoint else "auto"},
    )
    try:
        session = Session()
        region = location.region or session.region_name or "us-east-1"
        return session.client("s3", region_name=region, endpoint_url=location.endpoint, config=config)
    except (*_FAILURES, ValueError) as error:
        raise _meaning(f"open {location.url()}", error) from error


def ask(what: str, deadline: Deadline, request: Callable[[], T]) -> T:
    """What the server answers before the deadline.

    Raises:
        ExistsError: `If-None-Match` held. UnknownHeaderError, LockRefusedError: see there.
        StoreUnavailableError: no answer in time, or the connection failed.
        StoreError: every other refusal; see `s3_errors.refusal`.
    """
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
    kind = {412: ExistsError, 501: UnknownHeaderError}.get(status) or _NO_LOCK.get(code)
    return kind(refused.message, hint=refused.hint) if kind else refused


# AWS says InvalidRequest where a bucket has no object lock; MinIO and Ceph have names of their own for it.
_NO_LOCK: dict[str, type[StoreError]] = dict.fromkeys(
    ("InvalidRequest", "InvalidBucketState", "ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration"),
    LockRefusedError,
)


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
