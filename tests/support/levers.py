"""Small real lever folders: a word counter of which a test replaces parts to make them wrong."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prfpipe.lever import load_lever
from prfpipe.models import LeverSpec

BASELINE = """\
class Subject:
    def __init__(self, params, workdir):
        self.answered = 0

    def operate(self, operation):
        self.answered += 1
        counts = {}
        for word in operation["words"]:
            counts[word] = counts.get(word, 0) + 1
        return {"counts": sorted(map(list, counts.items())), "answered": self.answered, "rate": 0.0}

    def close(self):
        pass
"""

CANDIDATE = """\
from collections import Counter


class Subject:
    def __init__(self, params, workdir):
        self.answered = 0

    def operate(self, operation):
        self.answered += 1
        words = operation["words"]
        if not words:
            return self.result([])
        return self.result(sorted(map(list, Counter(words).items())))

    def result(self, counts):
        return {"counts": counts, "answered": self.answered, "rate": 0.0}

    def close(self):
        pass
"""

WORKLOAD = """\
import json
import random


def operations(params, seed):
    rng = random.Random(seed)
    while True:
        yield {"words": [rng.choice("abcdefgh") for _ in range(params["words"])]}


def canonical(result):
    return json.dumps(result, sort_keys=True).encode()


def edge_cases(params):
    yield "no words", [{"words": []}]
    yield "one word, twice", [{"words": ["a"]}, {"words": ["a"]}]
"""

CASE: dict[str, Any] = {
    "name": "two words",
    "params": {"words": 2},
    "operations": [{"words": ["b", "a"]}, {"words": ["a", "a"]}],
    "expected": [
        {"counts": [["a", 1], ["b", 1]], "answered": 1, "rate": 0.0},
        {"counts": [["a", 2]], "answered": 2, "rate": 0.0},
    ],
}

LEVER: dict[str, Any] = {
    "id": "LEV-TEST",
    "title": "Words counted by the standard library",
    "owner_track": "0.0",
    "claim": "Counter counts faster than a loop.",
    "risk": "None worth the name.",
    "expected_speedup": [1, 3],
    "optimized_path": ["candidate.py"],
    "workload": "workload.py",
    "variants": {"baseline": {"python": "baseline.py"}, "candidate": {"python": "candidate.py"}},
    "scenarios": {"small": {"primary": True, "params": {"words": 20}}},
}


def write_lever(
    folder: Path,
    *,
    candidate: str = CANDIDATE,
    baseline: str = BASELINE,
    workload: str = WORKLOAD,
    files: Mapping[str, str] | None = None,
    **spec: object,
) -> Path:
    """Write a lever folder and return it; `files` adds or replaces, `spec` replaces keys of lever.yaml."""
    contents = {
        "lever.yaml": json.dumps(LEVER | spec, indent=2),
        "baseline.py": baseline,
        "candidate.py": candidate,
        "workload.py": workload,
        "conformance/two-words.json": json.dumps(CASE),
        **(files or {}),
    }
    for name, text in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def spec_of(folder: Path) -> LeverSpec:
    """The validated lever.yaml of a folder."""
    return load_lever(folder).spec
