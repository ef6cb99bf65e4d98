"""Results -> docs/calibration.md, .svg, .png and .json."""

import os
from pathlib import Path
from statistics import median
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from calibration import plot
from calibration.attribution import predicted_sd
from calibration.experiments import EXPERIMENTS
from calibration.figures import cells, controls, share_text, targets
from calibration.results import Results, Session
from prfpipe.digests import canonical_json
from prfpipe.measure import INVOCATION_NS
from prfpipe.models import Record

_LENGTHS_MS = (10.0, 30.0, 100.0, 300.0, 1000.0)
_PLANNED_S = 10.0


def write(results: Results, session: Session, docs: Path) -> None:
    """Write the files; what is not measured yet is left out and said."""
    docs.mkdir(parents=True, exist_ok=True)
    if results.comparisons:
        plot.draw(cells(results), docs)
    _replace(docs / "calibration.json", _data(results, session))
    _replace(docs / "calibration.md", _document(results, session).encode())


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(data)
    temporary.replace(path)


def _data(results: Results, session: Session) -> bytes:
    """One comparison a line, so that a diff of two sessions can be read."""
    parts: dict[str, list[Record]] = {
        "session": [session],
        "tunings": list(results.tunings.values()),
        "attributions": list(results.attributions),
        "comparisons": list(results.comparisons),
    }
    lines = [
        f'"{name}":[\n' + ",\n".join(canonical_json(item.model_dump(mode="json")).decode() for item in items) + "\n]"
        for name, items in parts.items()
    ]
    return ("{" + ",\n".join(lines) + "}\n").encode()


def _document(results: Results, session: Session) -> str:
    # Markdown for a repository, not HTML: every value in it is a number or a name that this package chose.
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701
    )
    environment.filters.update(change=_change, decimals=_decimals, share=share_text)
    return environment.get_template("report.md.j2").render(_values(results, session))


def _values(results: Results, session: Session) -> dict[str, Any]:
    found, rows = cells(results), results.comparisons
    loads = [row.load_1min for row in rows]
    first = next(iter(results.attributions), None)
    lengths = _LENGTHS_MS if first else ()
    return {
        "results": results,
        "session": session,
        "machine": session.machine,
        "versions": ", ".join(f"{item.tool} {item.version}" for item in results.tunings.values()),
        "last": max((row.started_at for row in rows), default=session.started_at),
        "planned": sum(sum(experiment.counts.values()) for experiment in EXPERIMENTS),
        "load": (median(loads), max(loads)) if loads else None,
        "cells": found,
        "targets": targets(found),
        "control": controls(found),
        "tuning": {tool: item.values for tool, item in results.tunings.items()},
        "attributions": results.attributions,
        "predicted": [
            (length, predicted_sd(first, invocation_ms=length, seconds=_PLANNED_S)) for length in lengths if first
        ],
        "invocation_ms": INVOCATION_NS // 1_000_000,
    }


def _change(percent: float) -> str:
    return f"{percent:+.2f}"


def _decimals(value: float | None, places: int = 2) -> str:
    return "-" if value is None else f"{value:.{places}f}"
