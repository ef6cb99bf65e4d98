"""The doctrine's invariants over one bundle, as the audit judges them.

An adopted lever must meet them all. A run that ended otherwise may lack evidence, if it says so itself: then
the audit notes it and goes on.
"""

from collections.abc import Iterable

from prfpipe import doctrine
from prfpipe.audit.bundle import Bundle, Noted, refuse
from prfpipe.audit.gaps import Gap, artifact_gaps, profile_gaps, proof_gaps
from prfpipe.models import DecisionRule
from prfpipe.plan import make_rule
from prfpipe.stats import exact


def rule_of_effort(bundle: Bundle) -> str:
    """Whether the rule is the one that this version makes for lever and effort; nobody may choose it."""
    plan, usual = bundle.plan, make_rule(bundle.plan.lever, bundle.plan.effort)
    if plan.rule == usual:
        return f"alpha {plan.rule.alpha:g}, {plan.rule.seconds:g} s, as for every {plan.effort} run"
    if bundle.made_by_this_version:
        raise refuse("the rule was chosen for this run: it is not that of the effort")
    # Which version made a bundle is the bundle's own word: it must not buy a weaker rule.
    if _is_weaker(plan.rule, usual):
        raise refuse(f"the rule allows more error than any {plan.effort} run may")
    raise Noted(f"made by prfpipe {bundle.made_by!a}, whose rules this version does not know")


def _is_weaker(rule: DecisionRule, usual: DecisionRule) -> bool:
    weights = [exact(weight) for weight in rule.look_weights]
    more_error = rule.alpha > usual.alpha or min(weights) < 0 or sum(weights) > 1
    return more_error or rule.tail_confidence < usual.tail_confidence


def artifacts(bundle: Bundle) -> str:
    """INV-PRF-ARTIFACTS: see `gaps.artifact_gaps`."""
    _judge(bundle, artifact_gaps(bundle))
    return f"{len(doctrine.ARTIFACTS)} artifacts, {sum(len(item.fields) for item in doctrine.ARTIFACTS)} fields"


def profiled(bundle: Bundle) -> str:
    """INV-PRF-PROFILED: see `gaps.profile_gaps`."""
    _judge(bundle, profile_gaps(bundle))
    return "profiles of baseline, candidate"


def compatible(bundle: Bundle) -> str:
    """INV-PRF-COMPAT: see `gaps.proof_gaps`."""
    _judge(bundle, proof_gaps(bundle))
    return f"proven before and after, tree {bundle.tree.digest[:12]}"


def _judge(bundle: Bundle, gaps: Iterable[Gap]) -> None:
    found = list(gaps)
    wrong = [gap for gap in found if not gap.excuse]
    word = bundle.verdict.verdict
    if wrong and word == "adopt":
        raise refuse(f"adopted, although {_told(wrong)}")
    if wrong:
        raise Noted(f"{_told(wrong)}: the verdict is {word}, which does not need it")
    if found:
        raise Noted(f"{_told(found)}: {found[0].excuse}")


def _told(gaps: list[Gap]) -> str:
    return "; ".join(f"{gap.clause}: {gap.missing}" for gap in gaps[:3])
