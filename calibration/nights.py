"""`python -m calibration.nights`: how soon the history finds a planted change, and how often it cries wolf.

    python -m calibration.nights record ./evidence   # paired times of the newest bundle of each lever -> nights.json
    python -m calibration.nights                     # 500 nights from them -> docs/nightly-calibration.md

A simulated night draws invocations with replacement from those recorded, paired as they were, and goes through the
same estimate and interval as a real one. On top each night has a factor of its own (sd `BETWEEN`), since two runs of
one lever on one host differ by more than invocations of one run.
"""

import json
import random
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

from prfpipe import figures, layout, stats
from prfpipe.doctrine import Stage
from prfpipe.history.changes import MAX_P_VALUE, MIN_CHANGE, SETTLED, WINDOW, new_losses
from prfpipe.history.retention import TOLERANCE_PERCENT, retention
from prfpipe.models import Effort, Estimate, HistoryPoint
from prfpipe.samples import read_samples
from prfpipe.store import open_store
from prfpipe.store.evidence import list_bundles, resolve
from prfpipe.store.scratch import fetched

FOLDER = Path(__file__).resolve().parent
RECORDED = FOLDER / "nights.json"
PAGE = FOLDER.parent / "docs" / "nightly-calibration.md"
NIGHTS, PLANTED, PATIENCE = 500, 250, 60
HISTORIES = 4
INVOCATIONS = 12
ALPHA = Fraction(5, 100)
BETWEEN = 0.02
_FIRST = datetime(2026, 1, 1, 2, 30, tzinfo=UTC)

Times = list[tuple[int, int]]
"""One pair an invocation: median latency of baseline and candidate, in ns."""
Plant = Callable[[int, tuple[int, int]], tuple[float, float]]
"""What becomes of one invocation's pair of times in a night."""


@dataclass(frozen=True)
class Planted:
    """A change in night `PLANTED`: its words, what it does to a pair, and whether it is a loss to be found."""

    words: str
    plant: Plant
    loss: bool


def _slower(percent: float) -> Plant:
    return lambda night, pair: (pair[0], pair[1] / (1 - percent / 100)) if night >= PLANTED else pair


PLANTS = (
    Planted("nothing", lambda night, pair: pair, loss=False),
    Planted("gain 3 % lower", _slower(3), loss=True),
    Planted("gain 5 % lower", _slower(5), loss=True),
    Planted("gain 10 % lower", _slower(10), loss=True),
    Planted("gain 20 % lower", _slower(20), loss=True),
    Planted("gain 50 % lower", _slower(50), loss=True),
    Planted(
        "drift, 0.2 % lower each night",
        lambda night, pair: (pair[0], pair[1] * 1.002 ** max(night - PLANTED, 0)),
        loss=True,
    ),
    Planted(
        "one night 30 % lower",
        lambda night, pair: (pair[0], pair[1] / 0.7) if night == PLANTED else pair,
        loss=False,
    ),
    Planted(
        "host half as fast: both variants",
        lambda night, pair: (pair[0] * 2, pair[1] * 2) if night >= PLANTED else pair,
        loss=False,
    ),
)


@dataclass(frozen=True)
class Found:
    """What one simulated history gave: nights until each alarm, and alarms where nothing had been lost."""

    by_level: int | None
    by_interval: int | None
    false_alarms: int


def record(url: str) -> None:
    """Write the recorded pairs of each lever's newest bundle."""
    store = open_store(url)
    levers = sorted({ref.lever for ref in list_bundles(store)})
    document = {}
    for lever in levers:
        ref = resolve(store, "latest", lever)
        with fetched(store, ref) as folder:
            plan = layout.read_plan({layout.PLAN: (folder / layout.PLAN).read_bytes()})
            name = layout.SAMPLES[Stage.REPROFILE]
            samples = read_samples((folder / name).read_bytes(), name, Stage.REPROFILE)
        median = figures.latency(figures.P50)
        counted = figures.counted(samples, plan.lever.primary.name)
        document[plan.lever.id] = {
            "run_id": plan.run_id,
            "pairs_ns": [[median(item.arms["baseline"]), median(item.arms["candidate"])] for item in counted],
        }
    RECORDED.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def nights(times: Times, plant: Plant, seed: str) -> Iterator[HistoryPoint]:
    """`NIGHTS` simulated nights."""
    rng = random.Random(seed)
    count = stats.critical_counts([INVOCATIONS], ALPHA, [Fraction(1)])[0]
    for night in range(NIGHTS):
        factor = rng.gauss(1, BETWEEN)
        pairs = [plant(night, pair) for pair in rng.choices(times, k=INVOCATIONS)]
        ratios = [stats.ratio(round(before * factor), round(after)) for before, after in pairs]
        yield _point(night, figures.estimate(stats.location(ratios, count)))


def _point(night: int, speedup: Estimate) -> HistoryPoint:
    return HistoryPoint(
        run_id=_run_id(night),
        host="bench",
        effort=Effort.QUICK,
        verdict="adopt",
        claim="met",
        scenario="primary",
        work="0" * 64,
        speedup=speedup,
        control=Estimate(estimate=1.0, low=None, high=None),
        reprofiles=_run_id(0) if night else None,
    )


def _run_id(night: int) -> str:
    return f"{_FIRST + timedelta(days=night):%Y%m%dT%H%M%SZ}-lev-01-{night:08x}"


def watch(points: list[HistoryPoint], *, loss: bool) -> Found:
    """Look at the history every night, as the nightly flow does."""
    by_level = by_interval = None
    false = 0
    for night in range(1, NIGHTS):
        # What is further back than a few windows cannot change what the last night brings to light.
        level = bool(new_losses(points[max(0, night + 1 - 3 * WINDOW) : night + 1]))
        left = retention([points[0], points[night]])
        interval = left is not None and left.state == "rotted"
        if loss and night >= PLANTED:
            by_level = night - PLANTED + 1 if level and by_level is None else by_level
            by_interval = night - PLANTED + 1 if interval and by_interval is None else by_interval
        else:
            false += level + interval
    return Found(by_level, by_interval, false)


def simulate() -> Iterator[tuple[str, Planted, list[Found]]]:
    """Every recorded lever with every planted change, `HISTORIES` times."""
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))
    for lever, found in recorded.items():
        times: Times = [(before, after) for before, after in found["pairs_ns"]]
        for planted in PLANTS:
            histories = (list(nights(times, planted.plant, f"{lever} {planted.words} {n}")) for n in range(HISTORIES))
            sys.stderr.write(f"{lever}: {planted.words}\n")
            yield lever, planted, [watch(points, loss=planted.loss) for points in histories]


_WORDS = (
    f"`make nights` wrote this page: {HISTORIES} histories of {NIGHTS} nights for each lever and planted change, which "
    f"comes in night {PLANTED}. A night is {INVOCATIONS} invocations drawn from recorded ones ({{runs}}), times a "
    f"factor with sd {BETWEEN:.0%}, estimated like a real night. Change of level: Apache Otava, window {WINDOW}, "
    f"p < {MAX_P_VALUE:g}, at least {MIN_CHANGE:.0%}, {SETTLED} runs at the new level. Interval: the retention's upper "
    f"bound has lost more than {TOLERANCE_PERCENT:g} %. Found within {PATIENCE} nights; nights: the median until then. "
    "False alarms: those before the loss, and all where none was planted."
)


def page(rows: list[tuple[str, Planted, list[Found]]]) -> str:
    """docs/nightly-calibration.md."""
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))
    runs = ", ".join(f"`{item['run_id']}` ({len(item['pairs_ns'])} invocations)" for item in recorded.values())
    lines = [
        "# Planted changes in a history of 500 nights",
        "",
        _WORDS.format(runs=runs),
        "",
        "| lever | planted | found by level | nights | found by interval | nights | false alarms, a history |",
        "| :-- | :-- | --: | --: | --: | --: | --: |",
        *(_row(*row) for row in rows),
        "",
    ]
    return "\n".join(lines)


def _row(lever: str, planted: Planted, found: list[Found]) -> str:
    level, level_nights = _detected([item.by_level for item in found], planted.loss)
    interval, interval_nights = _detected([item.by_interval for item in found], planted.loss)
    false = sum(item.false_alarms for item in found) / len(found)
    cells = (lever, planted.words, level, level_nights, interval, interval_nights, f"{false:.2g}")
    return f"| {' | '.join(cells)} |"


def _detected(nights_until: list[int | None], loss: bool) -> tuple[str, str]:
    if not loss:
        return "–", "–"
    found = [nights for nights in nights_until if nights is not None and nights <= PATIENCE]
    return f"{len(found)} of {len(nights_until)}", f"{statistics.median(found):g}" if found else "–"


def main(arguments: list[str]) -> int:
    """Record, or simulate and write the page."""
    if arguments[:1] == ["record"]:
        record(arguments[1])
    else:
        PAGE.write_text(page(list(simulate())), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
