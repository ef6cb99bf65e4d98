"""Every bundle of a store audited, and the chains between them: for the command line and for the weekly deployment.

One bundle at a time is in memory, and nothing of it on a disk of this machine.
"""

import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from prfpipe.attest import manifest_of
from prfpipe.attest.trust import Trust
from prfpipe.audit.archive import ArchiveAudit, ArchiveReport, BundleWord, Offered
from prfpipe.audit.chains import Head
from prfpipe.compliance.seen import remember, seen_heads
from prfpipe.layout import STATEMENT
from prfpipe.models import Record
from prfpipe.progress import Progress
from prfpipe.store.base import Store
from prfpipe.store.bundles.manifest import check_manifest
from prfpipe.store.bundles.refs import STAMP
from prfpipe.store.evidence import BundleRef, get_statement, key, list_bundles

# A bundle is some forty small files: what takes time is waiting for answers.
_READERS = 8


@dataclass(frozen=True)
class Asked:
    """What of an archive is audited: bundles of `lever`, of runs that began at `since` or later; by default all.

    `seen`: the file that keeps where each chain ended when the archive was accepted last.
    """

    lever: str | None = None
    since: datetime | None = None
    seen: Path | None = None


class Cost(Record):
    """What an audit of an archive took; `peak_rss_kib` is that of the whole process."""

    seconds: float
    bundles_per_second: float
    peak_rss_kib: int


def audit_archive(
    store: Store, trust: Trust, asked: Asked, progress: Progress, tell: Callable[[BundleWord], object]
) -> tuple[ArchiveReport, Cost]:
    """Audit them one after the other, then the chains; `tell` hears of each bundle that is refused.

    Raises:
        StoreError: the store cannot be read now; what it lost or changed is no such error, but a refusal.
        BundleError: the file `asked.seen` cannot be read or written.
    """
    start = time.monotonic()
    audit = ArchiveAudit(trust, _seen(asked), from_start=asked.since is None)
    refs = list(list_bundles(store, asked.lever, asked.since))
    with ThreadPoolExecutor(_READERS, "read") as readers:
        offered = (Offered(ref.lever, ref.run_id, partial(_read, store, readers, ref)) for ref in refs)
        for word in _words(audit, offered, len(refs), progress):
            if not word.accepted:
                progress.finish()
                tell(word)
    progress.finish()
    report = audit.report()
    if asked.seen and report.accepted:
        remember(asked.seen, report.heads)
    return report, _cost(report.bundles, time.monotonic() - start)


def _seen(asked: Asked) -> tuple[Head, ...]:
    """The chains' ends that this audit comes across."""
    start = f"{asked.since:{STAMP}}" if asked.since else ""
    heads = seen_heads(asked.seen) if asked.seen else ()
    return tuple(head for head in heads if head.run_id >= start and (asked.lever or head.lever).upper() == head.lever)


def _words(audit: ArchiveAudit, offered: Iterator[Offered], count: int, progress: Progress) -> Iterator[BundleWord]:
    start = time.monotonic()
    for number, bundle in enumerate(offered, start=1):
        word = audit.take(bundle)
        each = (time.monotonic() - start) / number
        told = f"audit: {number} of {count} bundles, {1 / each:.1f} a second"
        progress.say(told, done=number / count, remaining=each * (count - number))
        yield word


def _read(store: Store, readers: Executor, ref: BundleRef) -> Mapping[str, bytes]:
    """A bundle's files, each verified on its way."""
    statement = get_statement(store, ref)
    manifest = manifest_of(statement, ref.run_id)
    check_manifest(manifest)

    def get(name: str) -> bytes:
        return store.get(key(ref, name), manifest[name].sha256, max_bytes=max(manifest[name].size, 1))

    return {**dict(zip(manifest, readers.map(get, manifest), strict=True)), STATEMENT: statement}


def _cost(bundles: int, seconds: float) -> Cost:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Cost(
        seconds=round(seconds, 3),
        bundles_per_second=round(bundles / seconds, 2),
        peak_rss_kib=peak // 1024 if sys.platform == "darwin" else peak,  # macOS counts bytes
    )
