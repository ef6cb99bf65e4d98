"""Tune the wheel: `python tune.py` searches on ci_dev, verifies on the other profiles, writes tuned.json.

The search is Optuna's TPE with a fixed seed. What is measured is CPU time of whole operations, default and choice in
turn on the same trace, so that a loaded machine harms both alike. A choice that is slower than the default on any
profile, held out or not, is not written: exit 1. `python tune.py --check FILE` only verifies what a file holds.
"""

import argparse
import gc
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from candidate import TUNED, Subject, tuning_of
from lanes import Step
from traffic import segments
from wheel import Tuning, Wheel

DEFAULT = Tuning(tick_bits=10, slot_bits=8, compact_after=100)
"""What one would write down untuned: a slot about as long as a tick (1 ms), 256 of them, asyncio's threshold."""

TUNED_ON = "ci_dev"
HELD_OUT = ("dev_local", "enterprise")
RANGES = {"tick_bits": (6, 30), "slot_bits": (4, 10), "compact_after": (16, 2000)}
"""By parameter of the wheel: least and greatest value of the search."""

WARM_UP = 10
"""Operations of a trace that are played before the clock counts."""

Measure = Callable[[Tuning, str], float]
"""Speed-up of a tuning over the default on a profile: above 1 is faster."""


class LosesError(Exception):
    """A choice is slower than the default on some profile."""


class Tuned(Subject):
    """The candidate with a tuning that is given."""

    def __init__(self, tuning: Tuning) -> None:
        self._given = tuning
        super().__init__({}, Path())

    def _new_wheel(self) -> Wheel:
        return Wheel(self._given)


def speed_up(tuning: Tuning, profile: str, *, count: int, seed: int) -> float:
    """Median over `count` operations of the CPU time of the default, divided by that of `tuning`."""
    subjects = [Tuned(DEFAULT), Tuned(tuning)]
    traces = islice(segments(profile, seed), WARM_UP + count)
    gc.collect()
    times = [_in_turn(subjects, trace, first=number % 2) for number, trace in enumerate(traces)]
    return statistics.median(default / tuned for default, tuned in times[WARM_UP:])


def _in_turn(subjects: list[Tuned], trace: list[Step], first: int) -> list[int]:
    """CPU nanoseconds of each subject; number `first` starts."""
    spent = [0, 0]
    for number in (first, 1 - first):
        start = time.process_time_ns()
        subjects[number].operate(trace)
        spent[number] = time.process_time_ns() - start
    return spent


def search(measure: Measure, *, trials: int, seed: int) -> Tuning:
    """The tuning that is fastest on the profile that is tuned on."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def objective(trial: optuna.Trial) -> float:
        return measure(suggested(trial), TUNED_ON)

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.enqueue_trial(DEFAULT._asdict())
    study.optimize(objective, n_trials=trials)
    return Tuning(**study.best_params)


def suggested(trial: Any) -> Tuning:
    """A tuning within the ranges; numbers of timers are searched by order of magnitude."""
    return Tuning(
        trial.suggest_int("tick_bits", *RANGES["tick_bits"]),
        trial.suggest_int("slot_bits", *RANGES["slot_bits"]),
        trial.suggest_int("compact_after", *RANGES["compact_after"], log=True),
    )


def verified(tuning: Tuning, measure: Measure) -> dict[str, float]:
    """Speed-up by profile.

    Raises:
        LosesError: `tuning` is slower than the default on one of them.
    """
    found = {profile: round(measure(tuning, profile), 3) for profile in (TUNED_ON, *HELD_OUT)}
    lost = {profile: ratio for profile, ratio in found.items() if ratio < 1}
    if lost:
        raise LosesError(f"{tuning} is not written: over the default, {_shown(lost)}")
    return found


def tune(out: Path, search_by: Measure, verify_by: Measure, *, trials: int, seed: int) -> dict[str, Any]:
    """Search, verify and write `out`; returns what was written."""
    tuning = search(search_by, trials=trials, seed=seed)
    ratios = verified(tuning, verify_by)
    record = {
        "tuning": tuning._asdict(),
        "default": DEFAULT._asdict(),
        "study": {
            "tuned_on": TUNED_ON, "held_out": list(HELD_OUT), "sampler": "TPE", "seed": seed, "trials": trials,
            "objective": "median over operations of CPU time, default / tuned; each trial interleaved with the default",
        },
        "speedup_over_default": ratios,
        "versions": _versions(),
    }  # fmt: skip
    out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return record


def _versions() -> dict[str, str]:
    import optuna

    return {"optuna": optuna.__version__, "python": platform.python_version(), "machine": platform.machine()}


def _shown(ratios: dict[str, float]) -> str:
    return ", ".join(f"{profile} {ratio:.2f}x" for profile, ratio in ratios.items())


def main(argv: list[str]) -> int:
    """The command; 0 if the choice holds on every profile, 1 if it loses on one."""
    parser = argparse.ArgumentParser(description="Tune on ci_dev, verify on the held-out profiles, write tuned.json.")
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--operations", type=int, default=150, help="timed in a trial; three times that verify")
    parser.add_argument("--out", type=Path, default=TUNED)
    parser.add_argument("--check", type=Path, metavar="FILE", help="only verify the tuning in FILE")
    options = parser.parse_args(argv)
    # The traces that verify are others than those of the search, also on the profile that is tuned on.
    verify_by = partial(speed_up, count=3 * options.operations, seed=options.seed + 1)
    try:
        if options.check:
            ratios = verified(tuning_of(options.check), verify_by)
        else:
            search_by = partial(speed_up, count=options.operations, seed=options.seed)
            ratios = tune(options.out, search_by, verify_by, trials=options.trials, seed=options.seed)[
                "speedup_over_default"
            ]
    except LosesError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"over the default: {_shown(ratios)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
