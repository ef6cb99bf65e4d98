"""What `make reliability` tries: each part runs a harness to its end and gives the rows of one table."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any

from prfpipe.store import open_store
from tests.attacks.mutations import every_byte, forgeries, mutations
from tests.attacks.sealed import Tally, valid_bundles
from tests.support import bundles
from tests.support.fault_calls import suffer_calls, tries_of
from tests.support.fault_http import Trip, every_fault, suffer
from tests.support.fault_kill import enumerate_points
from tests.support.fault_points import How
from tests.support.fault_server import serving
from tests.support.fault_store import FaultyStore, seeded

Row = dict[str, Any]
SEEDS = 200


def crashes(every: int) -> Iterator[Row]:
    """A run killed, cut off or refused at every place where something becomes durable."""
    for how in How:
        with _scratch() as folder:
            found = enumerate_points(folder, [how], every=every)
        failed = [f"{item.label}: {item.problem}" for item in found if item.problem]
        yield {
            "what": f"the run is {how}" if how in _KILLED else f"the disk: {how}",
            "tried": len(found),
            "survived": len(found) - len(failed),
            "lost": sum(item.lost for item in found),
            "failed": failed,
        }


_KILLED = {How.BEFORE, How.HALF, How.AFTER}


def server_faults(every: int) -> Iterator[Row]:
    """Every fault of an S3 server at every request, over http and https, in front of boto3."""
    for scheme in ("http", "https"):
        with _scratch() as folder, serving(scheme, folder) as server:
            trip = Trip.of(folder / "runs", server)
            tries = list(islice(every_fault(trip), 0, None, every))
            outcomes = [suffer(trip, *one) for one in tries]
        failed = [f"{item.fault} at {item.request}: {item.problem}" for item in outcomes if item.problem]
        kinds = len({item.fault for item in outcomes})
        yield _survived(f"an S3 server over {scheme}: {kinds} kinds of fault", len(outcomes), failed)


def call_faults(every: int) -> Iterator[Row]:
    """Every fault of a store at every call, one at a time; then many at a time, drawn from seeds."""
    with _scratch() as folder:
        bundle = bundles.build(folder, bundles.Parts.of(bundles.plan()))
        single = [
            (f"{fault} at call {at}", suffer_calls(_store(folder), bundle, at=at, fault=fault))
            for at, fault in islice(tries_of(bundle, folder), 0, None, every)
        ]
        many = [
            (f"seed {seed}", suffer_calls(FaultyStore(_store(folder).inner, seeded(seed, 0.02)), bundle))
            for seed in range(0, SEEDS, every)
        ]
    for what, outcomes in (("a store: one fault at one call", single), ("a store: many faults in one go", many)):
        yield _survived(what, len(outcomes), [f"{name}: {problem}" for name, problem in outcomes if problem])


def _store(folder: Path) -> FaultyStore:
    return FaultyStore(open_store(tempfile.mkdtemp(dir=folder)))


def _survived(what: str, tried: int, failed: list[str]) -> Row:
    return {"what": what, "tried": tried, "survived": tried - len(failed), "lost": 0, "failed": failed}


def tampering(every: int) -> Iterator[Row]:
    """Every mutation of a bundle; each single byte; and files changed and sealed again with another key."""
    with _scratch() as folder:
        mine, other = valid_bundles(folder)
    found = {
        "one thing changed": mutations(mine, other),
        "one bit of each single byte flipped": every_byte(mine),
        "one file changed, then everything sealed again with another key": chain(
            forgeries(mine, lambda files: bundles.resealed(files, key=bundles.OTHER_KEY)),
            forgeries(mine, lambda files: bundles.rechained(files, key=bundles.OTHER_KEY)),
        ),
    }
    for what, changed in found.items():
        tally = Tally().take(islice(changed, 0, None, every))
        tried = sum(tally.tried.values())
        yield {
            "what": what,
            "families": len(tally.tried),
            "tried": tried,
            "refused": tried - len(tally.accepted),
            "by": dict(tally.refused_by.most_common()),
            "failed": tally.accepted,
        }


def archive(every: int) -> Iterator[Row]:
    """`prfpipe audit --archive` over a thousand bundles."""
    from tests.unit.audit_at_scale import measure_archive

    for row in measure_archive(1000 // every):
        yield row._asdict()


def listing(every: int) -> Iterator[Row]:
    """`prfpipe bundles` over ten thousand bundles."""
    from tests.unit.store.listing_at_scale import measure_listings

    for row in measure_listings(10_000 // every):
        yield row._asdict()


def cheats(every: int) -> Iterator[Row]:
    """The corpus of candidates that cheat: minutes of measuring."""
    from tests.cheats.corpus import corpus
    from tests.cheats.rate import rows

    honest = {cheat.name for cheat in corpus() if cheat.caught_by == "nothing"}
    for row in rows([cheat.name for cheat in corpus()][::every]):
        yield {
            "folder": row.name,
            "may end as": row.expected,
            "ended as": row.got,
            "because": row.caught_by,
            "seconds": row.seconds,
            "caught": "honest" if row.name in honest else row.caught,
            "failed": [] if row.as_expected else [f"{row.name}: {row.got}, not {row.expected}"],
        }


def prefect(every: int) -> Iterator[Row]:
    """kill -9 of flow process, worker and server in each stage: servers and workers for half an hour."""
    from tests.reliability.prefect_crashes import tries

    for one in tries(every):
        yield one.row


PARTS: dict[str, Callable[[int], Iterator[Row]]] = {
    "crashes": crashes,
    "server faults": server_faults,
    "call faults": call_faults,
    "tampering": tampering,
    "archive": archive,
    "listing": listing,
    "cheats": cheats,
    "prefect": prefect,
}
"""By name, in the order of the page; `every` thins a part, 1 is all of it."""


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="prfpipe-reliability-") as folder:
        yield Path(folder)
