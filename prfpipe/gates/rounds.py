"""Rounds as blocks: what the machine did in a round is common to its arms and is taken out of them alike. Pure.

A slow path has few turns in an invocation. Where the machine's speed changes from one second to the next, as on a core
that is shared with others, the median of an arm's turns says most of all which seconds it met. The arms of a round
follow each other at once, so each turn counts as a share of its round (a randomized complete block design: Box, Hunter
and Hunter, "Statistics for Experimenters", 2nd edition 2005, chapter 4). No arm is the yardstick: the round is measured
by all of them, so that copies of one program differ to neither side.
"""

from collections.abc import Sequence
from fractions import Fraction

from prfpipe import stats
from prfpipe.figures import P50
from prfpipe.models import Invocation


def even(invocation: Invocation, block: int) -> Invocation:
    """The invocation with its samples as if every round had been as fast as the median one.

    `block`: samples of an arm in a round. Ratios of arms within a round stay as they were, to the ns.
    """
    arms = invocation.arms.values()
    rounds = [
        sum(sum(found.samples_ns[at : at + block]) for found in arms)
        for at in range(0, max(len(found.samples_ns) for found in arms), block)
    ]
    middle = stats.quantile(sorted(rounds), P50)
    evened = {
        arm: found.model_copy(update={"samples_ns": _evened(found.samples_ns, rounds, middle, block)})
        for arm, found in invocation.arms.items()
    }
    return invocation.model_copy(update={"arms": evened})


def with_both_copies(invocation: Invocation) -> Invocation:
    """The invocation whose baseline is what its two copies say together: in each rank the mean of the two.

    So its median is the mean of two medians, of the same program in the same rounds. By rank and not by round: in an
    `even` round the mean of two arms is what the third one leaves, so a median of such means would follow the third
    one's, and noise with a long tail would make it look faster than it is.
    """
    baseline, control = invocation.arms["baseline"], invocation.arms["control"]
    pairs = zip(sorted(baseline.samples_ns), sorted(control.samples_ns), strict=True)
    both = baseline.model_copy(update={"samples_ns": tuple((one + other) // 2 for one, other in pairs)})
    return invocation.model_copy(update={"arms": {**invocation.arms, "baseline": both}})


def _evened(samples: Sequence[int], rounds: Sequence[int], middle: int, block: int) -> tuple[int, ...]:
    return tuple(max(1, round(Fraction(ns * middle, rounds[at // block]))) for at, ns in enumerate(samples))
