"""What an S3 server's refusals mean, and what the person can do about them."""

from prfpipe.errors import IntegrityError, NotFoundError, StoreError, StoreUnavailableError

_BUCKET = "Create the bucket, or correct its name or the endpoint in the store's URL."
_MISSING = "Check the run id; `prfpipe bundles` lists what the store has."
_CREDENTIALS = (
    "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or AWS_PROFILE), and that they may list, read and "
    "write in this bucket (s3:ListBucket, s3:GetObject, s3:PutObject)."
)
_EXPIRED = "Renew the credentials and run the command again: it goes on where it stopped."
_CLOCK = "Set this machine's clock (NTP) or the server's: signatures are valid for a few minutes only."
_REGION = "Name the bucket's own region in the store's URL: s3://bucket/prefix?region=name."
_FULL = "Make room in the store or raise its quota, then run the command again: it goes on where it stopped."
_AGAIN = "The store is busy or failing: run the command again later; it goes on where it stopped."
_DAMAGED = "The bytes changed on their way to the store: run the command again."
_OTHER = "`prfpipe store probe` tells what the store can do; the local bundle is untouched."

_MEANINGS: dict[type[StoreError], dict[str, tuple[str, ...]]] = {
    NotFoundError: {_MISSING: ("NoSuchKey", "404")},
    IntegrityError: {
        _DAMAGED: ("BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch"),
    },
    StoreUnavailableError: {
        _AGAIN: (
            "SlowDown",
            "RequestTimeout",
            "Throttling",
            "TooManyRequests",
            "OperationAborted",
            "ConditionalRequestConflict",
            "409",
            "429",
        ),
    },
    StoreError: {
        _BUCKET: ("NoSuchBucket", "InvalidBucketName"),
        _CREDENTIALS: (
            "AccessDenied",
            "AllAccessDisabled",
            "Forbidden",
            "InvalidAccessKeyId",
            "InvalidToken",
            "SignatureDoesNotMatch",
            "Unauthorized",
            "401",
            "403",
        ),
        _EXPIRED: ("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"),
        _CLOCK: ("RequestTimeTooSkewed", "RequestExpired"),
        _REGION: (
            "PermanentRedirect",
            "AuthorizationHeaderMalformed",
            "IllegalLocationConstraintException",
            "301",
        ),
        _FULL: ("QuotaExceeded", "StorageFull", "XMinioStorageFull", "EntityTooLarge", "507"),
    },
}
_KINDS = {code: (kind, hint) for kind, hints in _MEANINGS.items() for hint, codes in hints.items() for code in codes}


def refusal(what: str, code: str, status: int, text: str) -> StoreError:
    """The error for a server's answer.

    Args:
        what: the operation, for the message.
        code: S3's error code, or the HTTP status as text where there is no body.
        status: HTTP status.
        text: the server's own words; shown shortened and without control characters.
    """
    kind, hint = _KINDS.get(code) or _by_status(status)
    return kind(f"{what}: the store answered {status} {_shown(code)} {_shown(text)}".rstrip(), hint=hint)


def _by_status(status: int) -> tuple[type[StoreError], str]:
    transient = status >= 500 and status != 501
    return (StoreUnavailableError, _AGAIN) if transient else _KINDS.get(str(status), (StoreError, _OTHER))


def missing_bucket(what: str, bucket: str) -> StoreError:
    """The error for a bucket that is not there."""
    return StoreError(f"{what}: there is no bucket {bucket}", hint=_BUCKET)


def broken_listing(what: str, problem: str) -> StoreError:
    """The error for a listing that cannot be trusted to be complete."""
    return StoreError(
        f"{what}: the store's listing {problem}",
        hint="Bundles could be missing from it. Fetching by run id still works: it needs no listing.",
    )


_CONNECTION = {
    "name": (
        "the server's name cannot be resolved",
        "Check the endpoint's host name in the store's URL, and DNS.",
    ),
    "refused": (
        "nothing answers at the endpoint",
        "Start the server, or correct the endpoint in the store's URL.",
    ),
    "timeout": (
        "no answer in time",
        "Check the endpoint and the network, then run the command again: it goes on where it stopped.",
    ),
    "tls": (
        "no trusted TLS connection",
        "Check the server's certificate or set AWS_CA_BUNDLE; without TLS the endpoint starts with http://.",
    ),
    "cut": (
        "the connection broke",
        "Run the command again: it goes on where it stopped.",
    ),
}


def no_connection(what: str, reason: str) -> StoreUnavailableError:
    """The error for a server that cannot be reached, or goes away: name, refused, timeout, tls or cut."""
    words, hint = _CONNECTION[reason]
    return StoreUnavailableError(f"{what}: {words}", hint=hint)


def no_credentials(what: str, problem: str) -> StoreError:
    """The error for a person without usable credentials."""
    return StoreError(f"{what}: {_shown(problem)}", hint=_CREDENTIALS)


def not_s3(what: str, problem: str) -> StoreError:
    """The error for an answer, or a request, that makes no sense to the S3 client."""
    return StoreError(f"{what}: {_shown(problem)}", hint="Check that the store's URL names an S3 server's endpoint.")


def _shown(text: str) -> str:
    """Foreign words, short and without what could steer a terminal."""
    return "".join(character for character in text if character.isprintable())[:200]
