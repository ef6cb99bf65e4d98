"""Comparisons -> the figures of the report. Pure."""

from collections.abc import Sequence
from statistics import fmean, median
from typing import NamedTuple

from calibration.experiments import EXPERIMENTS, TOOLS, Experiment, Tool
from calibration.results import Comparison, Results
from calibration.summary import binomial_interval, spread

SPREAD_TARGET, FALSE_TARGET, DETECTION_TARGET = 0.3, 0.01, 0.95


class Share(NamedTuple):
    """`hits` of `n` with the exact 95 % interval."""

    hits: int
    n: int

    @property
    def interval(self) -> tuple[float, float]:
        """Clopper & Pearson's."""
        return binomial_interval(self.hits, self.n)


class Cell(NamedTuple):
    """One tool in one experiment; `called` counts calls in the right direction, or any where nothing differs."""

    experiment: Experiment
    tool: Tool
    rows: tuple[Comparison, ...]
    called: Share
    wrong_way: int

    @property
    def changes(self) -> list[float]:
        """The estimates, in percent."""
        return [row.change_percent for row in self.rows]

    @property
    def mean(self) -> float:
        """Of the estimates, in percent."""
        return fmean(self.changes)

    @property
    def spread(self) -> float | None:
        """Standard deviation of the estimates, in percentage points."""
        return spread(self.changes)

    @property
    def true_percent(self) -> float:
        """What the tool was shown."""
        return fmean(row.true_percent for row in self.rows)

    @property
    def wall_s(self) -> tuple[float, float]:
        """Median and maximum of the wall times."""
        walls = [row.wall_s for row in self.rows]
        return median(walls), max(walls)

    def middle(self, detail: str) -> float:
        """Median of one detail."""
        return median(float(row.details[detail] or 0) for row in self.rows)

    def total(self, detail: str) -> int:
        """Sum of one detail that counts."""
        return sum(int(row.details[detail] or 0) for row in self.rows)

    def below(self, alpha: float) -> int:
        """How many comparisons the tool's own test would call at `alpha`."""
        found = [row.details["p"] for row in self.rows]
        return sum(p is not None and float(p) < alpha for p in found)


def cells(results: Results) -> list[Cell]:
    """One cell for each tool and experiment that has results, experiment by experiment."""
    found = [_cell(experiment, tool, results.comparisons) for experiment in EXPERIMENTS for tool in TOOLS]
    return [cell for cell in found if cell.rows]


def _cell(experiment: Experiment, tool: Tool, comparisons: Sequence[Comparison]) -> Cell:
    rows = tuple(row for row in comparisons if row.experiment == experiment.name and row.tool == tool)
    right = {"slower"} if experiment.extra_percent else {"slower", "faster"}
    hits = sum(row.call in right for row in rows)
    wrong = sum(row.call not in {*right, "none"} for row in rows)
    return Cell(experiment, tool, rows, Share(hits, len(rows)), wrong)


class Target(NamedTuple):
    """A target of prfpipe: what was asked, what was found, and whether that meets it."""

    asked: str
    found: str
    met: bool


def targets(found: Sequence[Cell]) -> list[Target]:
    """The targets of prfpipe as far as there are results for them; the observed share decides."""
    result = []
    for cell in (cell for cell in found if cell.tool == "prfpipe"):
        share, title = cell.called.hits / cell.called.n, cell.experiment.title
        if cell.experiment.extra_percent == 0:
            result.append(Target(f"{title}: false calls at most 1 %", share_text(cell.called), share <= FALSE_TARGET))
        if cell.experiment.name == "plus-1":
            asked = f"{title}: called in at least 95 %"
            result.append(Target(asked, share_text(cell.called), share >= DETECTION_TARGET))
        if cell.experiment.name != "plus-1" and cell.spread is not None:
            asked = f"{title}: standard deviation of the estimate at most 0.3 percentage points"
            result.append(Target(asked, f"{cell.spread:.2f}", cell.spread <= SPREAD_TARGET))
    return result


def share_text(share: Share) -> str:
    """`3 of 30 (10 %; 2 to 27 %)`."""
    low, high = (100 * bound for bound in share.interval)
    return f"{share.hits} of {share.n} ({100 * share.hits / share.n:.0f} %; {low:.1f} to {high:.1f} %)"


def controls(found: Sequence[Cell]) -> tuple[Share, float | None] | None:
    """The A/A controls in all of prfpipe's comparisons: how many were significant, and their spread."""
    details = [row.details for cell in found if cell.tool == "prfpipe" for row in cell.rows]
    if not details:
        return None
    hits = sum(item["control_call"] != "none" for item in details)
    return Share(hits, len(details)), spread([float(item["control_percent"] or 0) for item in details])
