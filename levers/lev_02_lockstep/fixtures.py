"""The corpus: which JavaScript makes it, and what identifies it."""

import hashlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCRIPTS = [HERE / name for name in ("fixtures.mjs", "families.mjs", "inputs.mjs", "encode.mjs")]
SEED, COUNT = 20261123, 5000
"""The corpus that is recorded."""


def corpus_digest() -> str:
    """Lower-case hex sha256 over the scripts, each behind its length: outputs of others are not comparable."""
    digest = hashlib.sha256()
    for script in SCRIPTS:
        source = script.read_bytes()
        digest.update(len(source).to_bytes(8, "big") + source)
    return digest.hexdigest()


def arguments(seed: int, count: int) -> list[str]:
    """The command line of a runtime behind its own part."""
    return [SCRIPTS[0].name, str(seed), str(count), corpus_digest()]
