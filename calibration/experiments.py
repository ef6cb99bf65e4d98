"""What is compared, how often, and in which order."""

import math
import random
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

Tool = Literal["prfpipe", "hyperfine", "pyperf"]
Call = Literal["none", "slower", "faster"]
TOOLS: tuple[Tool, ...] = get_args(Tool)


@dataclass(frozen=True)
class Experiment:
    """One known difference: `extra_percent` more work, `seconds` of wall time a comparison, how many of them."""

    name: str
    extra_percent: int
    seconds: float
    counts: dict[Tool, int]

    @property
    def title(self) -> str:
        """For people."""
        work = f"+{self.extra_percent} %" if self.extra_percent else "identical code"
        return f"{work}, {self.seconds:g} s"


EXPERIMENTS = (
    Experiment("identical", 0, 10.0, {"prfpipe": 100, "hyperfine": 30, "pyperf": 30}),
    Experiment("plus-2", 2, 10.0, {"prfpipe": 30, "hyperfine": 30, "pyperf": 30}),
    Experiment("plus-1", 1, 20.0, {"prfpipe": 30, "hyperfine": 30, "pyperf": 30}),
)


@dataclass(frozen=True)
class Task:
    """One comparison to be made."""

    experiment: Experiment
    tool: Tool
    index: int

    @property
    def key(self) -> tuple[str, Tool, int]:
        """What it is known by in the results."""
        return self.experiment.name, self.tool, self.index


def planned(*, seed: int, scale: float) -> list[Task]:
    """All comparisons in a random order in which each kind is spread evenly over the session.

    All tools so meet the same weather, and what a session has so far is balanced whenever it is interrupted.
    """
    rng = random.Random(seed)
    placed = []
    for experiment in EXPERIMENTS:
        for tool in TOOLS:
            count = max(1, math.ceil(experiment.counts[tool] * scale))
            placed += [((i + rng.random()) / count, Task(experiment, tool, i)) for i in range(count)]
    return [task for _, task in sorted(placed, key=lambda item: item[0])]


def chosen(tasks: list[Task], only: Collection[str]) -> list[Task]:
    """The tasks of the tools and the experiments named in `only`; a side that it does not name is whole."""
    tools = set(TOOLS) & set(only) or set(TOOLS)
    names = {experiment.name for experiment in EXPERIMENTS}
    names = names & set(only) or names
    return [task for task in tasks if task.tool in tools and task.experiment.name in names]
