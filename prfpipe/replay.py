"""Does a second measurement show the effect that the first one did? A pure comparison of two verdicts.

Both intervals are distribution-free and exact, each wrong with at most its own alpha; together they bound the ratio of
the two speed-ups, wrong with at most the sum of both (the union bound).
"""

from typing import Literal

from prfpipe import stats
from prfpipe.models import Estimate, Percent, Record, RunId, ScenarioResult, Verdict, VerdictWord

Answer = Literal["agrees", "disagrees", "undecided"]


class Agreement(Record):
    """One scenario measured twice. `ratio` is speed-up after / before; its interval holds with `confidence`."""

    scenario: str
    primary: bool
    answer: Answer
    reason: str
    before: Estimate
    after: Estimate
    ratio: Estimate
    confidence: float


class Replay(Record):
    """A run and the run that measured it again; the primary scenario's `answer` is the answer.

    `within_percent`: two speed-ups that may differ by no more than this are the same effect.
    """

    format: Literal["prfpipe/replay/v1"] = "prfpipe/replay/v1"
    replayed: RunId
    replay: RunId
    lever: str
    answer: Answer
    within_percent: Percent
    verdicts: tuple[VerdictWord, VerdictWord]
    scenarios: tuple[Agreement, ...]


def compare(before: Verdict, after: Verdict, within_percent: float) -> Replay:
    """Compare what two runs of one lever found; scenarios that only one of them measured are left out.

    Raises:
        ValueError: they are not of one lever, or the primary scenario is not in both.
    """
    found = {result.scenario: result for result in after.scenarios}
    pairs = [(result, found[result.scenario]) for result in before.scenarios if result.scenario in found]
    scenarios = tuple(_agreement(first, second, within_percent) for first, second in pairs)
    primary = next((item for item in scenarios if item.primary), None)
    if before.lever != after.lever or primary is None:
        raise ValueError(f"{before.run_id} and {after.run_id} did not measure the same thing")
    return Replay(
        replayed=before.run_id,
        replay=after.run_id,
        lever=before.lever,
        answer=primary.answer,
        within_percent=within_percent,
        verdicts=(before.verdict, after.verdict),
        scenarios=scenarios,
    )


def _agreement(before: ScenarioResult, after: ScenarioResult, within_percent: float) -> Agreement:
    ratio = ratio_of(before.speedup, after.speedup)
    answer, reason = _answer(before.speedup, after.speedup, ratio, within_percent)
    return Agreement(
        scenario=before.scenario,
        primary=before.primary,
        answer=answer,
        reason=reason,
        before=before.speedup,
        after=after.speedup,
        ratio=ratio,
        confidence=float(stats.exact(before.confidence) + stats.exact(after.confidence) - 1),
    )


def ratio_of(before: Estimate, after: Estimate) -> Estimate:
    """After / before, with both intervals at their worst; a bound is None where one of the two has none."""
    return Estimate(
        estimate=_quotient(after.estimate, before.estimate),
        low=None if after.low is None or before.high is None else _quotient(after.low, before.high),
        high=None if after.high is None or before.low is None else _quotient(after.high, before.low),
    )


def _quotient(over: float, under: float) -> float:
    return stats.decimal(stats.fixed(stats.exact(over) / stats.exact(under)))


def _answer(before: Estimate, after: Estimate, ratio: Estimate, within_percent: float) -> tuple[Answer, str]:
    if ratio.low is None or ratio.high is None:
        return "undecided", "one of the two runs has too few invocations for an interval"
    most = 1 + stats.exact(within_percent) / 100
    if stats.exact(ratio.low) > most or stats.exact(ratio.high) < 1 / most:
        return "disagrees", f"the two speed-ups differ by more than {within_percent:g} %"
    if _direction(before) != _direction(after):
        return "undecided", f"it was {_direction(before)} and is {_direction(after)}, but the intervals are near"
    return "agrees", f"{_direction(after)} both times, and the intervals allow for the same speed-up"


def _direction(speedup: Estimate) -> str:
    """What an interval shows of a speed-up; it must have bounds."""
    if speedup.low is not None and speedup.low > 1:
        return "faster"
    return "slower" if speedup.high is not None and speedup.high < 1 else "not shown to differ"
