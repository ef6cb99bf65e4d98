"""The same lever on different hosts: do the verdicts agree, and do the speed-ups? A pure comparison of runs.

Every host's interval is wrong with at most its own alpha, so all pairs of hosts together are judged wrongly with at
most the sum over the hosts (the union bound), however many pairs there are.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations

from prfpipe import stats
from prfpipe.artifacts import format as fmt
from prfpipe.models import ClaimWord, Estimate, Plan, Record, RunId, ScenarioResult, Verdict, VerdictWord
from prfpipe.replay import Answer, compare

WITHIN_PERCENT = 5.0


class HostRun(Record):
    """What one host found. `reasons`: their codes where it does not adopt, so that one sees why hosts disagree.

    `speedup`: of the primary scenario, baseline / candidate; None where nothing was compared.
    """

    host: str
    run_id: RunId
    verdict: VerdictWord
    claim: ClaimWord
    reasons: tuple[str, ...]
    speedup: Estimate | None


class HostComparison(Record):
    """One lever on several hosts.

    `same_files`: whether all measured the same lever folder; if not, nothing is said of the hosts. `verdicts`: whether
    all hosts decide alike; `speedups`: whether the primary scenario's speed-ups of any two hosts may differ
    by no more than `within_percent`, with `confidence` for all pairs together.
    """

    lever: str
    same_files: bool
    verdicts: Answer
    speedups: Answer
    within_percent: float
    confidence: float
    hosts: tuple[HostRun, ...]


def compare_hosts(
    runs: Iterable[tuple[Plan, Verdict]], within_percent: float = WITHIN_PERCENT
) -> HostComparison | None:
    """Compare what hosts found about one lever; of a host with several runs the newest counts. None: fewer than two.

    Raises:
        ValueError: the runs are not of one lever.
    """
    latest = {plan.host.name: (plan, verdict) for plan, verdict in sorted(runs, key=lambda run: run[0].run_id)}
    if len(latest) < 2:
        return None
    newest = {host: verdict for host, (_, verdict) in latest.items()}
    same_files = len({plan.source_digest for plan, _ in latest.values()}) == 1
    verdicts = [newest[host] for host in sorted(newest)]
    if len({verdict.lever for verdict in verdicts}) > 1:
        raise ValueError("these runs are not of one lever")
    measured = [verdict for verdict in verdicts if _primary(verdict)]
    comparable = same_files and len(measured) == len(verdicts)
    return HostComparison(
        lever=verdicts[0].lever,
        same_files=same_files,
        verdicts=_same_decision({verdict.verdict for verdict in verdicts}) if same_files else "undecided",
        speedups=_same_speedup(measured, within_percent) if comparable else "undecided",
        within_percent=within_percent,
        confidence=_together(measured),
        hosts=tuple(_host_run(host, newest[host]) for host in sorted(newest)),
    )


def _host_run(host: str, verdict: Verdict) -> HostRun:
    primary = _primary(verdict)
    return HostRun(
        host=host,
        run_id=verdict.run_id,
        verdict=verdict.verdict,
        claim=verdict.claim,
        reasons=() if verdict.verdict == "adopt" else tuple(reason.code for reason in verdict.reasons),
        speedup=primary.speedup if primary else None,
    )


def _primary(verdict: Verdict) -> ScenarioResult | None:
    return next((item for item in verdict.scenarios if item.primary), None)


def _same_decision(words: set[VerdictWord]) -> Answer:
    if {"adopt", "reject"} <= words:
        return "disagrees"
    return "undecided" if "undecided" in words else "agrees"


def _same_speedup(verdicts: Sequence[Verdict], within_percent: float) -> Answer:
    answers = {compare(one, other, within_percent).answer for one, other in combinations(verdicts, 2)}
    if "disagrees" in answers:
        return "disagrees"
    return "undecided" if "undecided" in answers else "agrees"


def _together(verdicts: Sequence[Verdict]) -> float:
    """With which confidence all these intervals hold at once."""
    primaries = [primary for verdict in verdicts if (primary := _primary(verdict))]
    return float(max(0, 1 - sum(1 - stats.exact(primary.confidence) for primary in primaries)))


def row(comparison: HostComparison) -> dict[str, str]:
    """A lever's line in a table: the answers, then a column for each host."""
    hosts = {item.host: f"{_decision(item)}, {_speedup(item)}" for item in comparison.hosts}
    return {"lever": comparison.lever, "verdicts": comparison.verdicts, "speed-ups": comparison.speedups, **hosts}


def sentence(comparison: HostComparison) -> str:
    """The comparison in words."""
    hosts = ", ".join(f"{_decision(item)} on {item.host} ({_speedup(item)})" for item in comparison.hosts)
    verdicts = {"agrees": "the verdicts agree", "disagrees": "the verdicts disagree"}
    speedups = {
        "agrees": "the speed-ups agree",
        "disagrees": f"the speed-ups differ by more than {comparison.within_percent:g} %",
    }
    files = "" if comparison.same_files else "the hosts have different files of this lever, so "
    return (
        f"{files}{verdicts.get(comparison.verdicts, 'whether the verdicts agree is undecided')}, "
        f"{speedups.get(comparison.speedups, 'whether the speed-ups agree is undecided')}: {hosts}"
    )


def _decision(run: HostRun) -> str:
    return f"{run.verdict} ({', '.join(run.reasons)})" if run.reasons else run.verdict


def _speedup(run: HostRun) -> str:
    return f"speed-up {fmt.show_estimate(run.speedup, fmt.RATIO)}" if run.speedup else "nothing was compared"
