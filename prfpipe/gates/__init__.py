"""PRF-01..04 as gates: measure a real subject, decide exactly against budgets with a ledger, explain, write it down."""

from prfpipe.gates.spec import Gate, find_gate, list_gates, load_gate

__all__ = ["Gate", "find_gate", "list_gates", "load_gate"]
