"""Proof that the candidate does what the baseline does: conformance, lockstep, edge cases, mutants, oracle self-test.

What a proof's record says against a lever is `prfpipe.proof_rules`: the verdict and the audit need it too.
"""

from prfpipe.prove.proof import prove

__all__ = ["prove"]
