"""Plausible bug: only what was allowed changes the state.

Risk: failed attempts are never counted, and nobody is ever locked out.
"""

import candidate
from engine import Decision
from service import Answer
from state import Request


class Subject(candidate.Subject):
    """The candidate for which a denial leaves no mark."""

    def settled(self, request: Request, decision: Decision) -> Answer:
        answer = super().settled(request, decision._replace(outcome="NoDecision"))
        if decision.outcome == "Allow":
            return super().settled(request, decision)
        return {**answer, "decision": decision.outcome}
