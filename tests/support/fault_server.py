"""An S3 server that fails as it is told, over http and https, and what may go wrong with each of its answers.

The server is `tests.store_servers.FaultyS3`; here are its encrypted form, the faults that need more than one line,
and the table of all faults by the kind of request that can have them.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from threading import Event
from typing import Any

import botocore.session
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests import store_servers as s3
from tests.store_servers import ACCESS_KEY, SECRET_KEY, FaultyS3

Fault = s3.Fault
FOR_EVER = 10_000


class FaultServer(FaultyS3):
    """`FaultyS3` that can also fail at one request by its number, from 1, and that can be used again.

    Plain, or encrypted with a certificate and key from `self_made_certificate`. `environment`: what boto3 needs.
    """

    def __init__(self, certificate: Path | None = None, page: int = 1000) -> None:
        super().__init__(page)
        self._encrypted = certificate is not None
        self.environment: dict[str, str] = {}
        self.at, self.fault, self.times = 0, None, 1  # type: int, Fault | None, int
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server = self._server
            # The handshake belongs to the handler's thread: one that hangs must not keep others out.
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def endpoint(self) -> str:
        plain = super().endpoint
        return plain.replace("http:", "https:") if self._encrypted else plain

    def reset(self) -> None:
        """Forget objects, faults and requests, and let hanging answers end."""
        self.closing.set()
        self.closing = Event()
        self.objects, self.seen, self.at, self.fault = {}, [], 0, None
        self._planned.clear()

    def fail_at(self, number: int, fault: Fault, times: int = 1) -> None:
        """Make the request with this number fail, and so many of its kind from then on."""
        self.at, self.fault, self.times = number, fault, times

    def next_fault(self, kind: str) -> Fault | None:
        planned = super().next_fault(kind)
        if self.fault is None or len(self.seen) < self.at or kind != self.seen[self.at - 1] or self.times < 1:
            return planned
        self.times -= 1
        return self.fault


def self_made_certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that nobody signed but itself, with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "prfpipe tests")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(certificate.public_bytes(pem) + secret)
    return path


@contextmanager
def serving(scheme: str, folder: Path) -> Iterator[FaultServer]:
    """A server, with the environment that boto3 needs to talk to it and to nobody else."""
    certificate = self_made_certificate(folder) if scheme == "https" else None
    with pytest.MonkeyPatch.context() as patch, FaultServer(certificate) as server:
        _read_service_models_once(patch)
        server.environment = _environment(folder, certificate)
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield server
        server.reset()


def _environment(folder: Path, certificate: Path | None) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(folder / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-credentials"),
        **({"AWS_CA_BUNDLE": str(certificate)} if certificate else {}),
    }


def _read_service_models_once(patch: pytest.MonkeyPatch) -> None:
    """Each new client reads the same large JSON files, which would be most of the time of these tests."""
    loader = botocore.session.create_loader()
    patch.setattr(botocore.session, "create_loader", lambda *_: loader)


# ---- faults ---------------------------------------------------------------------------------------------


def hang(handler: Any) -> bool:
    """Say nothing."""
    handler.s3.closing.wait()
    handler.close_connection = True
    return True


def hang_up(handler: Any) -> bool:
    """Close the connection without an answer, and without having done anything."""
    handler.close_connection = True
    return True


def byte_by_byte(handler: Any) -> bool:
    """Begin an answer that goes on for ever, so that no socket ever times out."""
    stop = handler.s3.closing
    handler.close_connection = True
    with suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n")
        while not stop.wait(0.05):
            handler.wfile.write(b"x")
    return True


def too_long(handler: Any) -> bool:
    """Return the object and something more."""
    if handler.key not in handler.s3.objects:
        return False
    handler.send(200, handler.s3.objects[handler.key] + b"!")
    return True


def partial_and_hang_up(handler: Any) -> bool:
    """Keep half of an upload, and close the connection."""
    handler.s3.objects[handler.key] = handler.body[: len(handler.body) // 2]
    return hang_up(handler)


def kept_and_refused(handler: Any) -> bool:
    """Store the object, and answer that the server failed."""
    handler.s3.objects[handler.key] = handler.body
    handler.refuse(500, "InternalError")
    return True


def rival_with_the_same(handler: Any) -> bool:
    """Another writer stores the same content first."""
    handler.s3.objects[handler.key] = handler.body
    return False


def gone(handler: Any) -> bool:
    """Take the object, say so, and lose it."""
    handler.send(200)
    return True


def present(fault: Fault) -> Fault:
    """The fault, where there is an object that it can happen to."""
    return lambda handler: handler.key in handler.s3.objects and fault(handler)


@dataclass(frozen=True, slots=True)
class Case:
    """A fault by its name, the kinds of request that can have it, and whether it waits for a deadline."""

    fault: Fault
    kinds: tuple[str, ...]
    slow: bool = False


_EVERY = ("GET", "PUT", "HEAD", "LIST", "DELETE")
CASES: dict[str, Case] = {
    "500": Case(s3.answer(500, "InternalError"), _EVERY),
    "502": Case(s3.answer(502, "BadGateway"), _EVERY),
    "503 SlowDown": Case(s3.answer(503, "SlowDown"), _EVERY),
    "429": Case(s3.answer(429, "TooManyRequests"), _EVERY),
    "hang": Case(hang, _EVERY, slow=True),
    "one byte a second": Case(byte_by_byte, _EVERY, slow=True),
    "connection closed": Case(hang_up, _EVERY),
    "expired credentials": Case(s3.answer(400, "ExpiredToken"), _EVERY),
    "no access": Case(s3.answer(403, "AccessDenied"), _EVERY),
    "clock skew": Case(s3.answer(403, "RequestTimeTooSkewed"), _EVERY),
    "missing bucket": Case(s3.answer(404, "NoSuchBucket"), ("GET", "PUT", "LIST")),
    "another web server": Case(s3.portal(b"<html><body>Welcome</body></html>"), ("GET", "LIST")),
    "stored, answer lost": Case(s3.keep_and_hang_up, ("PUT",)),
    "stored, answered 500": Case(kept_and_refused, ("PUT",)),
    "409": Case(s3.answer(409, "ConditionalRequestConflict"), ("PUT",)),
    "412, same content": Case(rival_with_the_same, ("PUT",)),
    "412, other content": Case(s3.rival(b"rival"), ("PUT",)),
    "412, nothing there": Case(s3.answer(412, "PreconditionFailed"), ("PUT",)),
    "conditions ignored": Case(s3.ignore_condition, ("PUT",)),
    "conditions unknown": Case(s3.no_condition, ("PUT",)),
    "wrong ETag": Case(s3.wrong_etag, ("PUT",)),
    "partial upload taken as complete": Case(s3.keep_half, ("PUT",)),
    "partial upload, connection closed": Case(partial_and_hang_up, ("PUT",)),
    "upload damaged": Case(s3.damage_upload, ("PUT",)),
    "upload lost": Case(gone, ("PUT",)),
    "checksum refused": Case(s3.answer(400, "BadDigest"), ("PUT",)),
    "storage full": Case(s3.answer(507, "XMinioStorageFull"), ("PUT",)),
    "404 after put": Case(s3.answer(404, "NoSuchKey"), ("GET",)),
    "body shorter than its length": Case(present(s3.cut_short), ("GET",)),
    "body longer than the object": Case(too_long, ("GET",)),
    "flipped byte": Case(present(s3.flip_byte), ("GET",)),
    "looping page": Case(s3.looping_page, ("LIST",)),
    "page without the next": Case(s3.page_without_pointer, ("LIST",)),
}
"""What an S3 server can do wrong, by name."""
