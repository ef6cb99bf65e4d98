"""What one host found about a lever: a plan and a verdict with the speed-up that a test wants."""

from typing import Any

from prfpipe.models import Estimate, Plan, Reason, Verdict
from tests.support import bundles, records

Run = tuple[Plan, Verdict]


def host_run(host: str, low: float, high: float, word: str = "adopt", number: int = 1, lever: str | None = None) -> Run:
    plan = bundles.plan(run_id=f"20261124T08150{number}Z-lev-01-0000000{number}")
    plan = plan.model_copy(update={"host": plan.host.model_copy(update={"name": host})})
    made = records.verdict(plan, records.samples(bundles.SPEEDUPS, invocations=3, operations=4))
    speedup = Estimate(estimate=(low * high) ** 0.5, low=low, high=high)
    scenarios = tuple(item.model_copy(update={"speedup": speedup, "confidence": 0.99}) for item in made.scenarios)
    changes: dict[str, Any] = {"verdict": word, "scenarios": scenarios, "lever": lever or made.lever}
    changes["reasons"] = (Reason(code="some-reason", message="It is so."),)
    return plan, made.model_copy(update=changes)
