"""S3 servers for tests: a real one (rclone), and a small one that fails as it is told."""

import re
import subprocess
import sysconfig
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

ACCESS_KEY = "test-access-key"
SECRET_KEY = "test-secret-key"
BUCKET = "bucket"
START_SECONDS = 300


CACHED_SECONDS = 0.02
"""The short cache lets tests change objects behind the server's back: it has seen them after twice this time."""
_SERVE = (
    "serve",
    "s3",
    "--auth-key",
    f"{ACCESS_KEY},{SECRET_KEY}",
    "--addr",
    "127.0.0.1:0",
    "--dir-cache-time",
    f"{CACHED_SECONDS}s",
)


@contextmanager
def rclone_s3(folder: Path, words: Sequence[str] = _SERVE) -> Iterator[str]:
    """Serve the folders in `folder` as buckets and yield the endpoint. The server ends with the context."""
    binary = Path(sysconfig.get_path("scripts")) / "rclone"
    command = [str(binary), *words, "--config", "/dev/null", str(folder)]
    log = folder / "server.log"
    with log.open("wb") as stderr:
        server = subprocess.Popen(command, env={"HOME": str(folder)}, stderr=stderr)
    try:
        yield _endpoint(server, log)
    finally:
        server.terminate()
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _endpoint(server: subprocess.Popen[bytes], log: Path) -> str:
    """The address that the server chose, from its log."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        if found := re.search(r"server on \[(http://127\.0\.0\.1:\d+)/\]", log.read_text()):
            return found[1]
        time.sleep(0.05)
    raise AssertionError(f"rclone did not start: {log.read_text()}")


@dataclass
class _Planned:
    kind: str
    fault: "Fault"
    times: int


class FaultyS3:
    """A bucket in memory behind enough of S3's protocol, with faults to order.

    Use as a context manager. `fail(kind, fault, times)` makes the next requests of a kind (PUT, GET, HEAD,
    DELETE, LIST) go wrong; `seen` counts all requests. Conditional creation and checksums are honoured.
    """

    def __init__(self, page: int = 1000, handler: "type[S3Handler] | None" = None) -> None:
        self.objects: dict[str, bytes] = {}
        self.page = page
        self.seen: list[str] = []
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self._planned: list[_Planned] = []
        made = type("Handler", (handler or S3Handler,), {"s3": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), made)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"s3://{BUCKET}?endpoint={self.endpoint}"

    def fail(self, kind: str, fault: "Fault", times: int = 1) -> None:
        self._planned.append(_Planned(kind, fault, times))

    def next_fault(self, kind: str) -> "Fault | None":
        with self.lock:
            self.seen.append(kind)
            for planned in self._planned:
                if planned.kind == kind and planned.times > 0:
                    planned.times -= 1
                    return planned.fault
        return None

    def __enter__(self) -> "FaultyS3":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


class S3Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 120
    s3: FaultyS3
    body: bytes

    def _serve(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = "LIST" if "list-type" in self.path else self.command
        fault = self.s3.next_fault(kind)
        if not (fault and fault(self)):
            getattr(self, f"answer_{kind.lower()}")()

    do_GET = do_PUT = do_HEAD = do_DELETE = _serve  # noqa: N815 - the library's names

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""

    @property
    def key(self) -> str:
        _, bucket, key = [*unquote(urlsplit(self.path).path).split("/", 2), ""][:3]
        return key if bucket == BUCKET else f"\0{bucket}"

    def send(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), "ETag": '"etag"', **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    def refuse(self, status: int, code: str, message: str = "refused") -> None:
        text = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        self.send(status, text.encode(), Content_Type="application/xml")

    def missing(self) -> None:
        self.refuse(404, "NoSuchBucket" if self.key.startswith("\0") else "NoSuchKey")

    def answer_put(self) -> None:
        claimed = self.headers.get("x-amz-checksum-sha256")
        with self.s3.lock:
            if self.key.startswith("\0"):
                self.missing()
            elif claimed and b64decode(claimed) != sha256(self.body).digest():
                self.refuse(400, "BadDigest")
            elif self.headers.get("If-None-Match") == "*" and self.key in self.s3.objects:
                self.refuse(412, "PreconditionFailed")
            else:
                self.s3.objects[self.key] = self.body
                self.send(200)

    def answer_get(self) -> None:
        data = self.s3.objects.get(self.key)
        self.missing() if data is None else self.send(200, data)

    def answer_head(self) -> None:
        is_bucket = self.key == ""
        self.send(200) if is_bucket or self.key in self.s3.objects else self.missing()

    def answer_delete(self) -> None:
        self.s3.objects.pop(self.key, None)
        self.send(204)

    def answer_list(self) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        after = b64decode(query.get("continuation-token", "")).decode() or query.get("start-after", "")
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "\0")
        inside = (name[len(prefix) :].partition(delimiter) for name in self.s3.objects if name.startswith(prefix))
        names = sorted({prefix + head + slash for head, slash, _ in inside})
        self.send_page([name for name in names if name > after], page=int(query.get("max-keys", 1000)))

    def send_page(self, names: list[str], token: str | None = None, page: int = 1000) -> None:
        page = min(page, self.s3.page)
        now, more = names[:page], len(names) > page
        token = token or (b64encode(now[-1].encode()).decode() if more else None)
        items = "".join(
            f"<Contents><Key>{escape(name)}</Key><Size>{len(self.s3.objects[name])}</Size>"
            "<LastModified>2026-11-23T08:15:00.000Z</LastModified></Contents>"
            if name in self.s3.objects
            else f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>"
            for name in now
        )
        next_token = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
        truncated = str(bool(token)).lower()
        text = f"<ListBucketResult><IsTruncated>{truncated}</IsTruncated>{next_token}{items}</ListBucketResult>"
        self.send(200, text.encode(), Content_Type="application/xml")


Fault = Callable[[S3Handler], bool]
"""Acts on a request; true if it answered it, false if the server shall go on as if nothing were."""


def answer(status: int, code: str, message: str = "refused") -> Fault:
    """An S3 error."""

    def fault(handler: S3Handler) -> bool:
        handler.refuse(status, code, message)
        return True

    return fault


def drip(start: bytes) -> Fault:
    """Send `start`, then a byte at a time, so that no socket ever times out."""

    def fault(handler: S3Handler) -> bool:
        handler.close_connection = True
        with suppress(OSError):
            handler.wfile.write(start)
            while not handler.s3.closing.wait(0.05):
                handler.wfile.write(b"x")
        return True

    return fault


def cut_short(handler: S3Handler) -> bool:
    """Announce the whole body, send half of it, and hang up."""
    data = handler.s3.objects[handler.key]
    handler.close_connection = True
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data[: len(data) // 2])
    return True


def flip_byte(handler: S3Handler) -> bool:
    """Return the object with one bit changed."""
    data = bytearray(handler.s3.objects[handler.key])
    data[0] ^= 1
    handler.send(200, bytes(data))
    return True


def damage_upload(handler: S3Handler) -> bool:
    """Keep something else than what was sent, and say that all is well."""
    handler.s3.objects[handler.key] = handler.body + b"!"
    handler.send(200)
    return True


def keep_half(handler: S3Handler) -> bool:
    """Take a partial upload for complete."""
    handler.s3.objects[handler.key] = handler.body[: len(handler.body) // 2]
    handler.send(200)
    return True


def keep_and_hang_up(handler: S3Handler) -> bool:
    """Store the object, and lose the answer."""
    handler.s3.objects[handler.key] = handler.body
    handler.close_connection = True
    return True


def wrong_etag(handler: S3Handler) -> bool:
    """Store the object, and answer with another object's ETag."""
    handler.s3.objects[handler.key] = handler.body
    handler.send(200, ETag='"00000000000000000000000000000000"')
    return True


def ignore_condition(handler: S3Handler) -> bool:
    """Overwrite, whatever the request's condition says."""
    handler.s3.objects[handler.key] = handler.body
    handler.send(200)
    return True


def no_condition(handler: S3Handler) -> bool:
    """Refuse the conditional header as unknown, and take requests without it."""
    if "If-None-Match" not in handler.headers:
        return False
    handler.refuse(501, "NotImplemented", "A header you provided implies functionality that is not implemented")
    return True


def rival(content: bytes) -> Fault:
    """Another writer comes first."""

    def fault(handler: S3Handler) -> bool:
        handler.s3.objects[handler.key] = content
        return False

    return fault


def rival_and_hang_up(content: bytes) -> Fault:
    """Another writer comes first, and nobody gets an answer."""

    def fault(handler: S3Handler) -> bool:
        handler.s3.objects[handler.key] = content
        handler.close_connection = True
        return True

    return fault


def looping_page(handler: S3Handler) -> bool:
    """The first page again and again, each with a pointer to the next."""
    handler.send_page(sorted(handler.s3.objects), token=b64encode(b"!").decode())
    return True


def page_without_pointer(handler: S3Handler) -> bool:
    """A page that says there are more, and not where."""
    text = "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"
    handler.send(200, text.encode(), Content_Type="application/xml")
    return True


def portal(body: bytes) -> Fault:
    """What a captive portal or another web server answers."""

    def fault(handler: S3Handler) -> bool:
        handler.send(200, body, Content_Type="text/html")
        return True

    return fault
