"""The audit of an archive in words: lines for the terminal, a page of Markdown for an orchestrator."""

from collections.abc import Iterator, Mapping

from prfpipe.artifacts.names import markdown
from prfpipe.artifacts.tables import markdown_table
from prfpipe.audit.archive import ArchiveReport
from prfpipe.compliance.every_bundle import Cost

MAX_ROWS = 200
"""Of a page; the log of the run has all."""


def headline(report: ArchiveReport) -> str:
    """The result in one line."""
    broken = f", {len(report.problems)} missing or out of place" if report.problems else ""
    return f"{report.bundles} bundles: {_accepted(report)}{broken}"


def _accepted(report: ArchiveReport) -> str:
    return f"{report.bundles - len(report.refused)} accepted, {len(report.refused)} refused"


def archive_text(report: ArchiveReport, cost: Cost, store: str) -> str:
    """Faults of the chains, notes, chains, counts, what it cost; the result last."""
    return "\n".join(_lines(report, cost, store))


def _lines(report: ArchiveReport, cost: Cost, store: str) -> Iterator[str]:
    yield from (f"FAIL  {problem}" for problem in report.problems)
    yield from (f"note  {note}" for note in report.notes)
    for chain in report.chains:
        span = f"{chain.bundles} bundles, numbers {chain.first} to {chain.last}, newest {chain.newest}"
        yield f"chain {chain.lever}, key {chain.keyid[:12]}: {span}"
    yield f"{report.bundles} bundles in {store}: {_accepted(report)}"
    yield f"verdicts of those accepted: {_counts(report.verdicts)}"
    yield f"signatures: {_counts(report.signatures)}"
    yield _spent(cost)
    yield "ACCEPTED: the archive" if report.accepted else "REFUSED: the archive"


def archive_markdown(report: ArchiveReport, cost: Cost, store: str) -> str:
    """The result, counts, each refused bundle with the check that fails, each fault of a chain, the chains."""
    return "\n".join(
        [
            f"# Archive: {'accepted' if report.accepted else 'REFUSED'}\n",
            f"{headline(report)}, in {markdown(store)}\n",
            *_refused(report),
            *_problems("Chains that do not hold", report.problems),
            *_chains(report),
            *_problems("Worth knowing", report.notes),
            f"Verdicts of those accepted: {_counts(report.verdicts)}. Signatures: {_counts(report.signatures)}.\n",
            f"{_spent(cost)}\n",
        ]
    )


def _refused(report: ArchiveReport) -> Iterator[str]:
    if report.refused:
        rows = [[markdown(word.run_id), markdown(word.problem, 500)] for word in report.refused[:MAX_ROWS]]
        yield f"## Refused bundles\n\n{markdown_table(('run', 'check that fails'), rows, text_columns=2)}\n"
        yield from _rest(len(report.refused))


def _problems(title: str, found: tuple[str, ...]) -> Iterator[str]:
    if found:
        yield f"## {title}\n"
        yield from (f"- {markdown(line, 500)}" for line in found[:MAX_ROWS])
        yield ""
        yield from _rest(len(found))


def _rest(count: int) -> Iterator[str]:
    if count > MAX_ROWS:
        yield f"{count - MAX_ROWS} more are not shown.\n"


def _chains(report: ArchiveReport) -> Iterator[str]:
    if report.chains:
        rows = [
            [chain.lever, chain.keyid[:12], f"{chain.bundles}", f"{chain.first} to {chain.last}", chain.newest]
            for chain in report.chains[:MAX_ROWS]
        ]
        header = ("lever", "key", "bundles", "numbers", "newest run")
        yield f"## Chains\n\n{markdown_table(header, [[*map(markdown, row)] for row in rows], text_columns=2)}\n"
        yield from _rest(len(report.chains))


def _spent(cost: Cost) -> str:
    peak = cost.peak_rss_kib / 1024
    return f"{cost.seconds:.1f} s, {cost.bundles_per_second:.1f} bundles a second, at most {peak:.0f} MiB of memory"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {word}" for word, count in counts.items()) or "none"
