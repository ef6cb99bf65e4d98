"""Run the harnesses of faults and attacks to their end and write docs/reliability.json and docs/reliability.md.

`python -m tests.reliability [PART…] [--every N] [--cheats]`: without a part, all but the cheats, which measure for
minutes and want the machine to themselves, and what dies under Prefect, which takes half an hour. A part that is left out keeps what it said before.
"""

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prfpipe.host import fingerprint
from tests.reliability.page import render
from tests.reliability.parts import PARTS

ROOT = Path(__file__).resolve().parents[2]
RECORD, PAGE = ROOT / "docs" / "reliability.json", ROOT / "docs" / "reliability.md"
_LONG = {"cheats", "prefect"}
_OF_HOST = ("cpu_model", "cpus", "os", "python")


def main() -> None:
    """Each part is written down when it is done; a failed try ends with 1."""
    options = _options()
    document: dict[str, Any] = json.loads(RECORD.read_bytes()) if RECORD.exists() else {"parts": {}}
    failed = False
    for name in options.parts or [name for name in PARTS if name not in _LONG or (name == "cheats" and options.cheats)]:
        part = _run(name, options.every)
        document["parts"][name] = part
        failed |= any(row.get("failed") for row in part["rows"])
        _write(RECORD, json.dumps(document, indent=1) + "\n")
        _write(PAGE, render(document))
    sys.exit(failed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.reliability")
    parser.add_argument("parts", nargs="*", type=lambda word: word.replace("-", " "))
    parser.add_argument("--every", type=int, default=1, help="one try in so many")
    parser.add_argument("--cheats", action="store_true", help="the candidates that cheat too")
    options = parser.parse_args()
    if strange := sorted(set(options.parts) - PARTS.keys()):
        parser.error(f"no part {strange[0]!r}: {', '.join(PARTS)}")
    return options


def _run(name: str, every: int) -> dict[str, Any]:
    sys.stderr.write(f"reliability: {name}\n")
    began = time.monotonic()
    rows = list(PARTS[name](every))
    host = fingerprint().model_dump(mode="json")
    return {
        "rows": rows,
        "every": every,
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "seconds": round(time.monotonic() - began, 1),
        "host": {key: host[key] for key in _OF_HOST},
    }


def _write(path: Path, text: str) -> None:
    new = path.with_suffix(path.suffix + ".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


if __name__ == "__main__":
    main()
