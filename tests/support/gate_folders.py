"""Four valid gate folders, one for each principle, of which a test replaces parts."""

from pathlib import Path
from typing import Any

from tests.support import gates as one

PROFILES = one.PROFILES
# id -> subject -> budget, as tight as the doctrine asks for and no tighter
BUDGETS: dict[str, dict[str, float]] = {
    "PRF-01": {"first_operation": 100},
    "PRF-02": {"dispatch": 10, "register": 20},
    "PRF-03": {"analysis": 5},
    "PRF-04": {"modules-10": 500, "modules-1000": 500},
}


def write_gates(gates: Path) -> Path:
    """Four gates below `gates`, which is returned."""
    for identity in BUDGETS:
        write_gate(gates, identity)
    return gates


def write_gate(gates: Path, identity: str, folder: str = "", **parts: Any) -> Path:
    """Write one gate and return its folder; `parts` replace keys of gate.yaml.

    One change in its ledger makes all budgets, and what is out of scope.
    """
    budgets = parts.pop("budgets", None) or dict.fromkeys(PROFILES, BUDGETS[identity])
    outside = parts.get("out_of_scope", {})
    change = {"date": "2026-11-23", "reason": one.REASON, "set": budgets, "out_of_scope": outside}
    spec = {**one.gate_yaml(), "id": identity, "budgets": budgets, "changes": [change], **parts}
    return one.write_gate(gates / (folder or identity.lower().replace("-", "_")), spec)
