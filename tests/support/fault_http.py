"""A bundle on its way to an S3 server and back, with every fault at every request.

The invariants are the same for every fault: it ends well or with an error of ours; a bundle that shows as committed
is whole; what is here stays as it is; the same command again, when the server is well, completes the bundle or says
why it never will; what comes back is what went there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from prfpipe.attest import manifest_of
from prfpipe.bundle import read_tree
from prfpipe.digests import sha256_hex
from prfpipe.errors import AlreadyExistsError, PrfpipeError, StoreError, TamperError
from prfpipe.layout import PLAN, RUNLOG, STATEMENT, VERDICT
from prfpipe.models import FileDigest
from prfpipe.store.deadline import Limits
from prfpipe.store.evidence import archive, fetch, resolve
from prfpipe.store.location import S3Location
from prfpipe.store.s3 import S3Store
from tests.support import bundles
from tests.support.fault_server import CASES, FOR_EVER, Case, FaultServer

QUICK = Limits(connect=5, read=5, total=20, pauses=(0.005, 0.01))
IMPATIENT = Limits(connect=1, read=1, total=0.3, pauses=(0.005,))
SENT = (PLAN, VERDICT, RUNLOG)
"""The files that are sent before the statement: enough to be in the middle of."""
_NUMBERS = count()


@dataclass(frozen=True)
class Trip:
    """A bundle on the disk, and the server that it goes to."""

    bundle: Path
    server: FaultServer

    @classmethod
    def of(cls, folder: Path, server: FaultServer) -> "Trip":
        """A fresh bundle in a new folder."""
        return cls(bundles.build(folder, bundles.Parts.of(bundles.plan())), server)

    @property
    def manifest(self) -> dict[str, FileDigest]:
        """What is sent of it, besides its statement."""
        return self._sent_of((self.bundle / STATEMENT).read_bytes())

    def send(self, limits: Limits = QUICK) -> str:
        """Archive it."""
        return archive(self.store(limits), self.bundle, "LEV-01", bundles.RUN_ID, self.manifest)

    def bring(self, limits: Limits = QUICK) -> dict[str, bytes]:
        """Fetch it into a new folder; its files."""
        store = self.store(limits)
        to = self.bundle.parent / f"fetched-{next(_NUMBERS)}"
        return read_tree(fetch(store, resolve(store, bundles.RUN_ID), to, self._sent_of))

    def _sent_of(self, statement: bytes) -> dict[str, FileDigest]:
        """The files that were sent, of those that a statement in its right form lists."""
        listed = manifest_of(statement, bundles.RUN_ID)
        return {name: listed[name] for name in SENT}

    def store(self, limits: Limits) -> S3Store:
        """A new client."""
        return S3Store(S3Location.parse(self.server.url), limits)

    @property
    def expected(self) -> dict[str, bytes]:
        """What has to come back."""
        return {name: (self.bundle / name).read_bytes() for name in (*SENT, STATEMENT)}

    def committed_and_not_whole(self) -> bool:
        """Whether the server shows the whole statement above files that are not as they were sent."""
        stored = {key.rpartition(bundles.RUN_ID + "/")[2]: data for key, data in self.server.objects.items()}
        return stored.get(STATEMENT) == self.expected[STATEMENT] and stored != self.expected


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one fault; `problem` is empty if it was survived, `error` is what the person was told."""

    fault: str
    request: str
    error: str
    problem: str


def requests_of(trip: Trip) -> list[str]:
    """The kinds of the requests of sending and bringing, in order; how many belong to sending comes from `seen`."""
    trip.server.reset()
    trip.send()
    trip.bring()
    return list(trip.server.seen)


def every_fault(trip: Trip) -> Iterator[tuple[str, int, int]]:
    """Every fault at every request that can have it, once and from then on."""
    for number, kind in enumerate(requests_of(trip), 1):
        for name, case in CASES.items():
            if kind in case.kinds:
                yield name, number, 1
                yield name, number, FOR_EVER


def suffer(trip: Trip, name: str, number: int, times: int) -> Outcome:
    """Send and bring with one fault; then without it."""
    server, case = trip.server, CASES[name]
    server.reset()
    server.fail_at(number, case.fault, times)
    before = read_tree(trip.bundle)
    error, problem = _under_fault(trip, case)
    request = server.seen[number - 1] if len(server.seen) >= number else "none"
    if server.times == times:
        problem = problem or "the fault did not happen"
    if trip.committed_and_not_whole():
        problem = problem or "committed and not whole"
    server.fault = None
    problem = problem or _afterwards(trip)
    if read_tree(trip.bundle) != before:
        problem = problem or "the local bundle changed"
    return Outcome(name, request, error, problem)


def _under_fault(trip: Trip, case: Case) -> tuple[str, str]:
    """What the person is told, and what is wrong with that."""
    limits = IMPATIENT if case.slow else QUICK
    try:
        trip.send(limits)
        found = trip.bring(limits)
    except PrfpipeError as error:
        if not (isinstance(error, StoreError | TamperError) and error.hint):
            return error.message, f"not an error about the store: {type(error).__name__}"
        return error.message, ""
    except Exception as error:  # noqa: BLE001 - that is what must not happen
        return "", f"{type(error).__name__}: {error}"
    return "", "" if found == trip.expected else "other bytes came back"


def _afterwards(trip: Trip) -> str:
    """The server is well again: the same command completes the bundle, or says that other content is in its place."""
    damaged = any(sha256_hex(data) not in _digests(trip) for data in trip.server.objects.values())
    try:
        trip.send()
        return "" if trip.bring() == trip.expected else "other bytes came back afterwards"
    except AlreadyExistsError:
        return "" if damaged else "says that other content is there, where there is none"
    except PrfpipeError as error:
        return f"not completed afterwards: {error.message}"


def _digests(trip: Trip) -> set[str]:
    return {sha256_hex(data) for data in trip.expected.values()}
