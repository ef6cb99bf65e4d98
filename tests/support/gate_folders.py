"""Small valid gate folders, one for each principle, of which a test replaces parts."""

import json
from pathlib import Path
from typing import Any

PROFILES = ("dev_local", "ci_dev", "enterprise")
# id -> subject -> budget, as tight as the doctrine asks for and no tighter
BUDGETS: dict[str, dict[str, float]] = {
    "PRF-01": {"first_operation": 100},
    "PRF-02": {"dispatch": 10, "register": 20},
    "PRF-03": {"analysis": 5},
    "PRF-04": {"modules-10": 500, "modules-1000": 500},
}
REASON = "the doctrine's figure for this principle, in every profile"


def write_gates(gates: Path) -> Path:
    """Four gates below `gates`, which is returned."""
    for identity in BUDGETS:
        write_gate(gates, identity)
    return gates


def write_gate(gates: Path, identity: str, folder: str = "", **parts: Any) -> Path:
    """Write one gate and return its folder; `parts` replace keys of gate.yaml.

    Without `changes` among them, one change makes the budgets and what is out of scope.
    """
    budgets = parts.pop("budgets", None) or dict.fromkeys(PROFILES, BUDGETS[identity])
    outside = parts.get("out_of_scope", {})
    change = {"date": "2026-11-23", "reason": REASON, "set": budgets, "out_of_scope": outside}
    spec = {
        "id": identity,
        "title": f"The gate of {identity}",
        "version": 1,
        "subject": {"python": "subject.py"},
        "budgets": budgets,
        "changes": [change],
        **parts,
    }
    path = gates / (folder or identity.lower().replace("-", "_"))
    path.mkdir(parents=True, exist_ok=True)
    (path / "gate.yaml").write_text(json.dumps(spec, indent=2), encoding="utf-8")
    (path / "subject.py").write_text("", encoding="utf-8")
    return path
