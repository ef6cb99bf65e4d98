"""Overheads of hot paths as the loop's records say them."""

from prfpipe.gates.measurement import Overhead
from prfpipe.limits import stratum_result
from prfpipe.models import Estimate, ScenarioResult
from tests.support.plans import plan

NOTHING = Estimate(estimate=1.0, low=0.999, high=1.001)


def overhead(
    *, low: float | None, estimate: float, high: float | None, margin: float, doubts: tuple[str, ...] = (),
    control: Estimate = NOTHING,
) -> Overhead:  # fmt: skip
    """A path whose speed-up (off / on) is this, judged at a margin in percent by the loop's rule."""
    rule = plan().rule.model_copy(update={"non_inferiority_percent": margin})
    result = ScenarioResult(
        scenario="path",
        primary=False,
        invocations=12,
        confidence=0.95,
        looks=3,
        speedup=Estimate(estimate=estimate, low=low, high=high),
        gains={},
        control=control,
        resolvable_percent=1.0,
        arms={},
    )
    return Overhead(stratum_result(rule, "path", result), result, doubts)
