"""Tune the wheel: `python tune.py` searches on ci_dev, verifies on the other profiles, writes tuned.json.

The search is Optuna's TPE with a fixed seed. What is measured is CPU time of whole operations, default and choice in
turn on the same trace, so that a loaded machine harms both alike. A choice that is slower than the default or the
baseline on any profile, held out or not, is not written: exit 1. `python tune.py --check FILE` only verifies what a
file holds.
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

import baseline
import candidate
from lanes import Step
from traffic import segments
from wheel import Tuning, Wheel

DEFAULT = Tuning(tick_bits=13, slot_bits=8, compact_after=100)
"""What one writes down untuned: 256 slots of 8 ms, like Linux's first wheel at 100 Hz, and asyncio's threshold."""

TUNED_ON = "ci_dev"
HELD_OUT = ("dev_local", "enterprise")
RANGES = {"tick_bits": (6, 30), "slot_bits": (4, 10), "compact_after": (16, 2000)}
"""By parameter of the wheel: least and greatest value of the search."""

WARM_UP = 10
"""Operations of a trace that are played before the clock counts."""

Measure = Callable[[Tuning, str, str], float]
"""Speed-up of a tuning on a profile over the `default` or the `baseline`: above 1 is faster."""


Ratios = dict[str, dict[str, float]]
Player = baseline.Subject | candidate.Subject


class LosesError(Exception):
    """A choice is slower than the default or the baseline on some profile."""


class Tuned(candidate.Subject):
    """The candidate with a tuning that is given."""

    def __init__(self, tuning: Tuning) -> None:
        self._given = tuning
        super().__init__({}, Path())

    def _new_wheel(self) -> Wheel:
        return Wheel(self._given)


def reference(name: str) -> Player:
    """A scheduler to compare with."""
    return Tuned(DEFAULT) if name == "default" else baseline.Subject({}, Path())


def speed_up(tuning: Tuning, profile: str, over: str, *, count: int, seed: int) -> float:
    """Median over `count` operations of the CPU time of what it is compared with, divided by that of `tuning`."""
    subjects = [reference(over), Tuned(tuning)]
    traces = islice(segments(profile, seed), WARM_UP + count)
    gc.collect()
    times = [_in_turn(subjects, trace, first=number % 2) for number, trace in enumerate(traces)]
    return statistics.median(other / tuned for other, tuned in times[WARM_UP:])


def _in_turn(subjects: list[Player], trace: list[Step], first: int) -> list[int]:
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
        return measure(suggested(trial), TUNED_ON, "default")

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


def verified(tuning: Tuning, measure: Measure) -> Ratios:
    """Speed-up by what it is compared with, then by profile.

    Raises:
        LosesError: `tuning` is slower on one of them.
    """
    found = {
        over: {profile: round(measure(tuning, profile, over), 3) for profile in (TUNED_ON, *HELD_OUT)}
        for over in ("default", "baseline")
    }
    lost = {over: {name: ratio for name, ratio in by.items() if ratio < 1} for over, by in found.items()}
    if any(lost.values()):
        raise LosesError(f"{tuning} is refused: {_shown(lost)}")
    return found


def tune(out: Path, search_by: Measure, verify_by: Measure, *, trials: int, seed: int) -> Ratios:
    """Search, verify and write `out`; returns the speed-ups.

    Raises:
        LosesError: the choice loses somewhere; `out` stays as it is.
    """
    tuning = search(search_by, trials=trials, seed=seed)
    ratios = verified(tuning, verify_by)
    record = {
        "tuning": tuning._asdict(),
        "default": DEFAULT._asdict(),
        "study": {
            "tuned_on": TUNED_ON, "held_out": list(HELD_OUT), "sampler": "TPE", "seed": seed, "trials": trials,
            "objective": "median over operations of CPU time, default / trial, the two in turn on one trace",
        },
        "speedup_over": ratios,
        "versions": _versions(),
    }  # fmt: skip
    out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return ratios


def _versions() -> dict[str, str]:
    import optuna

    return {"optuna": optuna.__version__, "python": platform.python_version(), "machine": platform.machine()}


def _shown(ratios: Ratios) -> str:
    texts = [
        f"over the {over}: {', '.join(f'{name} {ratio:.2f}x' for name, ratio in by.items())}"
        for over, by in ratios.items()
        if by
    ]
    return "; ".join(texts)


def main(argv: list[str]) -> int:
    """The command; 0 if the choice holds on every profile, 1 if it loses on one."""
    parser = argparse.ArgumentParser(description="Tune on ci_dev, verify on the held-out profiles, write tuned.json.")
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--operations", type=int, default=150, help="timed in a trial; three times that verify")
    parser.add_argument("--out", type=Path, default=candidate.TUNED)
    parser.add_argument("--check", type=Path, metavar="FILE", help="only verify the tuning in FILE")
    options = parser.parse_args(argv)
    # The traces that verify are others than those of the search, also on the profile that is tuned on.
    verify_by = partial(speed_up, count=3 * options.operations, seed=options.seed + 1)
    try:
        if options.check:
            ratios = verified(candidate.tuning_of(options.check), verify_by)
        else:
            search_by = partial(speed_up, count=options.operations, seed=options.seed)
            ratios = tune(options.out, search_by, verify_by, trials=options.trials, seed=options.seed)
    except LosesError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{_shown(ratios)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
