"""Every week: each bundle of a store is audited, and the chains between them, as `prfpipe audit --archive` does it.

Whose signatures are believed is what the worker's key folder says; no parameter can add a key. The worker remembers
where each chain ended, so that what was taken from an archive's end is missed too.
"""

from datetime import UTC, date, datetime, time
from typing import Annotated

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas import State
from prefect.events import emit_event
from prefect.states import Completed, Failed
from pydantic import Field

from flows.exclusive import turn_on
from flows.names import ARCHIVE_REFUSED, run_name
from flows.parameters import DEFAULT_STORE, StoreName, worker_settings
from flows.telling import labels, run_log, tell_failures_in_our_words
from prfpipe import host
from prfpipe.attest.trust import load_trust
from prfpipe.audit.archive import ArchiveReport
from prfpipe.compliance.every_bundle import Asked, Cost, audit_archive
from prfpipe.compliance.every_bundle_text import archive_markdown, archive_text, headline
from prfpipe.digests import sha256_hex
from prfpipe.settings import Settings
from prfpipe.store import open_store

# The server compares a form with patterns, not with formats.
Day = Annotated[date, Field(json_schema_extra={"pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"})]

_MOST_TOLD = 50
"""Of refused runs, and of faults, that an event names; the page and the log have more."""

tell_failures_in_our_words()


@flow(name="audit-archive", flow_run_name=run_name("audit of {store}"), persist_result=False)
def audit_whole_archive(store: StoreName = DEFAULT_STORE, since: Day | None = None) -> State[dict[str, int]]:
    """Audit every bundle of a store and the chains between them; fails when anything is refused or missing.

    Args:
        store: the archive: one of the stores that the worker knows by name
        since: only runs of this day (UTC) or later; all if empty
    """
    settings = worker_settings(store)
    # Auditing computes as much as measuring does: on a bench host it waits for its turn, and keeps off the bench's CPU.
    with turn_on(host.name()), host.leave_cpu_free(host.measuring_cpu()):
        report, cost = audit(settings, since)
    tell(store, settings, report, cost)
    counts = {"bundles": report.bundles, "refused": len(report.refused), "faults": len(report.problems)}
    made = Completed if report.accepted else Failed
    return made(message=headline(report), data=counts)


@task(task_run_name="audit", cache_policy=NO_CACHE, persist_result=False)
def audit(settings: Settings, since: date | None) -> tuple[ArchiveReport, Cost]:
    """Audit all of it; the log has progress, and each refused bundle with the check that fails."""
    store, log = open_store(settings.store), get_run_logger()
    seen = settings.seen / f"{sha256_hex(store.url().encode())[:16]}.json"
    asked = Asked(since=datetime.combine(since, time(), UTC) if since else None, seen=seen)
    report, cost = audit_archive(
        store,
        load_trust(settings.key_folder),
        asked,
        run_log(),
        lambda word: log.error("REFUSED  %s: %s", word.run_id, word.problem),
    )
    log.info("%s", archive_text(report, cost, store.url()))
    return report, cost


@task(task_run_name="tell", cache_policy=NO_CACHE, persist_result=False)
def tell(store: str, settings: Settings, report: ArchiveReport, cost: Cost) -> None:
    """The page, and an event where the archive is not accepted."""
    url = open_store(settings.store).url()
    create_markdown_artifact(
        key=f"archive-{store}", markdown=archive_markdown(report, cost, url), description=headline(report)
    )
    if report.accepted:
        return
    refused = [word.run_id for word in report.refused[:_MOST_TOLD]]
    emit_event(
        event=ARCHIVE_REFUSED,
        resource=labels(f"prfpipe.store.{store}", store, host.name()),
        payload={
            "store": url,
            "run_id": refused[0] if refused else "",
            "refused": refused,
            "problems": [problem[:500] for problem in report.problems[:_MOST_TOLD]],
            "message": headline(report),
        },
    )
