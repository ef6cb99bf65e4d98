"""Python runs this when it starts with this folder on its path: in a flow's process, one stage takes its time.

`PRFPIPE_TEST_LINGER=baseline` makes that stage last `PRFPIPE_TEST_LINGER_SECONDS` longer and leave the file
`PRFPIPE_TEST_REACHED` when it is in the middle of it; `PRFPIPE_TEST_HEARTBEAT` says how often it tells that it lives.
Efforts are always short. Nothing else in the process is another: it is what a worker starts by itself.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SECONDS = float(os.environ.get("PRFPIPE_TEST_LINGER_SECONDS", "8"))


def _linger() -> None:
    Path(os.environ["PRFPIPE_TEST_REACHED"]).touch()
    time.sleep(SECONDS)


def _before(work: Callable[..., Any]) -> Callable[..., Any]:
    def lingering(*arguments: Any, **words: Any) -> Any:
        _linger()
        return work(*arguments, **words)

    return lingering


def _after(work: Callable[..., Any]) -> Callable[..., Any]:
    def lingering(*arguments: Any, **words: Any) -> Any:
        done = work(*arguments, **words)
        _linger()
        return done

    return lingering


_due: list[str] = []


def _before_the_baseline_ends(finish: Callable[..., Any]) -> Callable[..., Any]:
    """Its samples are on the disk, and do not count yet."""

    def finishing(writer: Any) -> Any:
        if writer._stage == "baseline":
            _linger()
        return finish(writer)

    return finishing


def _at_second(invoke: Callable[..., Any]) -> Callable[..., Any]:
    """The second invocation of three subjects stalls."""

    def invoking(bench: Any, scenario: Any, schedule: Any, workload: Any, index: int, *rest: Any) -> Any:
        _due[:] = ["now"] if index == 1 and len(bench.arms) == 3 else []
        return invoke(bench, scenario, schedule, workload, index, *rest)

    return invoking


def _stall(work: Callable[..., Any]) -> Callable[..., Any]:
    def stalling(*arguments: Any) -> Any:
        if _due:
            _due.clear()
            _linger()
        return work(*arguments)

    return stalling


def _slow_down(stage: str) -> None:
    from prfpipe import measure, samples
    from prfpipe.artifacts import summary
    from prfpipe.loop import closing, run, stages

    match stage:
        case "plan":
            run._plan = _before(run._plan)
        case "baseline":
            samples.SampleWriter.finish = _before_the_baseline_ends(samples.SampleWriter.finish)
        case "reprofile":
            measure._invoke, measure._Session.run = _at_second(measure._invoke), _stall(measure._Session.run)
        case "profile":
            stages._PROFILE_SECONDS = dict.fromkeys(stages._PROFILE_SECONDS, SECONDS)
            run.LOOP[run.Stage.PROFILE] = _told(run.LOOP[run.Stage.PROFILE])
        case "prove" | "verify":
            stages._PROOF_SECONDS = dict.fromkeys(stages._PROOF_SECONDS, SECONDS / (0.5 if stage == "verify" else 1))
            run.LOOP[run.Stage(stage)] = _told(run.LOOP[run.Stage(stage)])
        case "implement" | "decide":
            run.LOOP[run.Stage(stage)] = _after(run.LOOP[run.Stage(stage)])
        case "publish":
            summary.summary_markdown = _before(summary.summary_markdown)
        case "archive":
            closing.archive_sealed = _before(closing.archive_sealed)


def _told(work: Callable[..., Any]) -> Callable[..., Any]:
    def telling(*arguments: Any) -> Any:
        Path(os.environ["PRFPIPE_TEST_REACHED"]).touch()
        return work(*arguments)

    return telling


def _heartbeats(seconds: int) -> None:
    """More often than Prefect allows."""
    from prefect import flow_engine
    from prefect.flow_engine import BaseFlowRunEngine

    flow_engine.MINIMUM_HEARTBEAT_INTERVAL = seconds
    BaseFlowRunEngine.heartbeat_seconds = property(lambda _: seconds)


if "prefect.engine" in sys.orig_argv:
    import pytest

    from prfpipe.profilers import hotspots
    from tests.e2e.evaluations import shorten

    shorten(pytest.MonkeyPatch())
    hotspots.MIN_SAMPLES = 1  # profiles are not looked at, and neighbours may take a core for their whole time
    _slow_down(os.environ.get("PRFPIPE_TEST_LINGER", ""))
    if "PRFPIPE_TEST_HEARTBEAT" in os.environ:
        _heartbeats(int(os.environ["PRFPIPE_TEST_HEARTBEAT"]))
