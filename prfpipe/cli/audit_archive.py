"""`prfpipe audit --archive`: every bundle of a store in one call, one at a time in memory."""

import argparse
import resource
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial

from prfpipe.attest import manifest_of
from prfpipe.attest.trust import Trust
from prfpipe.audit.archive import ArchiveAudit, ArchiveReport, BundleWord, Offered
from prfpipe.audit.bundle import HINT
from prfpipe.audit.chains import Head
from prfpipe.bundle import MAX_TOTAL_BYTES
from prfpipe.cli.output import print_json, print_text
from prfpipe.cli.seen import remember, seen_heads
from prfpipe.cli.stores import day, store_of
from prfpipe.errors import TamperError
from prfpipe.layout import STATEMENT
from prfpipe.models import Record
from prfpipe.progress import Terminal
from prfpipe.store import Store
from prfpipe.store.bundles.refs import BundleRef, key
from prfpipe.store.evidence import get_statement, list_bundles


class Cost(Record):
    """What an audit of an archive took; `peak_rss_kib` is that of the whole process."""

    seconds: float
    bundles_per_second: float
    peak_rss_kib: int


def audit_all(arguments: argparse.Namespace, trust: Trust) -> int:
    """Audit every bundle of the store, and the chains that they form."""
    start, since = time.monotonic(), day(arguments.since) if arguments.since else None
    store = store_of(arguments)
    seen = _within(seen_heads(arguments.seen), arguments.lever, since) if arguments.seen else ()
    audit = ArchiveAudit(trust, seen, from_start=since is None)
    for word in _words(audit, list(list_bundles(store, arguments.lever, since)), store):
        if not word.accepted and not arguments.json:
            print_text(f"REFUSED  {word.run_id}: {word.problem}")
    report = audit.report()
    cost = _cost(report.bundles, time.monotonic() - start)
    if arguments.seen and report.accepted:
        remember(arguments.seen, report.heads)
    if arguments.json:
        print_json({**report.model_dump(mode="json"), "store": store.url(), "cost": cost.model_dump()})
    else:
        print_text("\n".join(_text(report, cost, store.url())))
    return 0 if report.accepted else 1


def _within(heads: Iterable[Head], lever: str | None, since: datetime | None) -> tuple[Head, ...]:
    """The chains' ends that this audit comes across."""
    start = f"{since:%Y%m%dT%H%M%SZ}" if since else ""
    return tuple(head for head in heads if head.run_id >= start and (lever or head.lever).upper() == head.lever)


def _words(audit: ArchiveAudit, refs: Sequence[BundleRef], store: Store) -> Iterator[BundleWord]:
    progress, start = Terminal(), time.monotonic()
    for number, ref in enumerate(refs, start=1):
        word = audit.take(Offered(ref.lever, ref.run_id, partial(_read, store, ref)))
        each = (time.monotonic() - start) / number
        told = f"audit: {number} of {len(refs)} bundles, {1 / each:.1f} a second"
        progress.say(told, done=number / len(refs), remaining=each * (len(refs) - number))
        if not word.accepted:
            progress.finish()
        yield word
    progress.finish()


def _read(store: Store, ref: BundleRef) -> Mapping[str, bytes]:
    """A bundle's files, each verified on its way. They never touch a disk of this machine."""
    statement = get_statement(store, ref)
    manifest = manifest_of(statement, ref.run_id)
    total = sum(digest.size for digest in manifest.values())
    if total > MAX_TOTAL_BYTES:
        raise TamperError(f"its statement lists {total} bytes, at most {MAX_TOTAL_BYTES} are read", hint=HINT)
    files = {
        name: store.get(key(ref, name), digest.sha256, max_bytes=max(digest.size, 1))
        for name, digest in manifest.items()
    }
    return {**files, STATEMENT: statement}


def _cost(bundles: int, seconds: float) -> Cost:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Cost(
        seconds=round(seconds, 3),
        bundles_per_second=round(bundles / seconds, 2),
        peak_rss_kib=peak // 1024 if sys.platform == "darwin" else peak,  # macOS counts bytes
    )


def _text(report: ArchiveReport, cost: Cost, store: str) -> Iterator[str]:
    yield from (f"FAIL  {problem}" for problem in report.problems)
    yield from (f"note  {note}" for note in report.notes)
    for chain in report.chains:
        span = f"{chain.bundles} bundles, numbers {chain.first} to {chain.last}, newest {chain.newest}"
        yield f"chain {chain.lever}, key {chain.keyid[:12]}: {span}"
    accepted = report.bundles - len(report.refused)
    yield f"{report.bundles} bundles in {store}: {accepted} accepted, {len(report.refused)} refused"
    yield f"verdicts of those accepted: {_counts(report.verdicts)}"
    yield f"signatures: {_counts(report.signatures)}"
    peak = cost.peak_rss_kib / 1024
    yield f"{cost.seconds:.1f} s, {cost.bundles_per_second:.1f} bundles a second, at most {peak:.0f} MiB of memory"
    yield "ACCEPTED: the archive" if report.accepted else "REFUSED: the archive"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {word}" for word, count in counts.items()) or "none"
