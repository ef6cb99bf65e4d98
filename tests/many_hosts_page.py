"""docs/many-hosts-run.md: what a run on two hosts showed."""

import platform
import re
import subprocess
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from prfpipe.models import HostFingerprint, Plan, Verdict
from tests.support.programs import find
from tests.support.windows import overlaps, parallel_ns, windows


@dataclass(frozen=True)
class Observed:
    """What was there after the run. `crashed_after`: seconds from the kill; `refusals`, `redis`: as they answered."""

    wall_seconds: float
    up_seconds: float
    flow_run: dict[str, Any]
    flow_runs: list[dict[str, Any]]
    table: list[dict[str, str]]
    runs: list[tuple[Plan, Verdict]]
    store: Path
    killed: str
    killed_at: datetime
    crashed_after: float | None
    away_seconds: float
    hosts: Mapping[str, str]
    refusals: dict[str, str]
    redis: dict[int, int]
    fingerprint: HostFingerprint

    def bundles(self, host: str) -> list[Path]:
        """The bundles of one host, oldest first."""
        here = [plan for plan, _ in self.runs if plan.host.name == host]
        return [self.store / plan.lever.id.lower() / plan.run_id for plan in sorted(here, key=lambda one: one.run_id)]

    @property
    def overlaps(self) -> dict[str, int]:
        """Pairs of windows of different evaluations that overlap, for each host."""
        return {host: len(overlaps(self.bundles(host))) for host in self.hosts}

    @property
    def parallel_seconds(self) -> float:
        """For how long both hosts were at work."""
        return parallel_ns({host: self.bundles(host) for host in self.hosts}) / 1e9

    @property
    def states(self) -> Counter[str]:
        """How the flow runs ended."""
        return Counter(run["state_type"] for run in self.flow_runs)

    def proves_it(self) -> bool:
        """Whether this is what it must show."""
        wanted = {(row["lever"], host) for row in self.table for host in self.hosts}
        found = [(plan.lever.id, plan.host.name) for plan, _ in self.runs]
        return (
            len(found) == len(wanted) == 10
            and set(found) == wanted
            and not any(self.overlaps.values())
            and self.parallel_seconds > 0
            and self.states["CRASHED"] >= 1
            and self.flow_run["state_type"] == "COMPLETED"
        )

    def summary(self) -> str:
        """One line."""
        return (
            f"{len(self.runs)} verdicts, {sum(self.overlaps.values())} overlaps, "
            f"parallel {self.parallel_seconds:.1f} s, flow runs {dict(self.states)}"
        )


def page(seen: Observed) -> str:
    """The page."""
    return "\n".join([*_head(seen), *_claims(seen), *_evaluations(seen), *_compared(seen), *_access(seen), ""])


def _head(seen: Observed) -> Iterator[str]:
    machine = seen.fingerprint
    yield "# Two hosts, ten evaluations, one power cut"
    yield ""
    yield _paragraph(
        f"Written by `python -m tests.many_hosts` on {datetime.now(UTC):%Y-%m-%d}. The set-up is that of",
        "[many-hosts.md](many-hosts.md): settings, units' commands and proxy are read from [deploy](deploy), with",
        "fresh secrets. Both hosts are network namespaces of one machine, with names, process ids, homes and a CPU of",
        "their own; they reach nothing but the TLS proxy. The store is a folder that both see.",
    )
    yield ""
    yield _paragraph(
        f"{machine.cpu_model}, {machine.cpus} CPUs, Linux {machine.kernel}; Python {platform.python_version()},",
        f"Prefect {version('prefect')}, prefect-redis {version('prefect-redis')}, PostgreSQL {_says('postgres')},",
        f"Redis {_says('redis-server')}, Caddy {_says('caddy', 'version')}. The server was up after",
        f"{seen.up_seconds:.0f} s, migrations included.",
    )
    yield ""


def _paragraph(*parts: str) -> str:
    return textwrap.fill(" ".join(parts), 118, break_long_words=False, break_on_hyphens=False)


def _says(program: str, word: str = "--version") -> str:
    """The version that a program says it is."""
    done = subprocess.run([find(program) or program, word], capture_output=True, text=True, check=True)
    found = re.search(r"\d+(\.\d+)+", done.stdout)
    return found[0] if found else "of an unknown version"


def _claims(seen: Observed) -> Iterator[str]:
    total = f"{seen.wall_seconds:.0f} s in all"
    late = "never" if seen.crashed_after is None else f"after {seen.crashed_after:.0f} s"
    counted = {host: sum(len(windows(bundle)) for bundle in seen.bundles(host)) for host in seen.hosts}
    yield "| what it must show | what was there |"
    yield "| :-- | :-- |"
    bundles = f"{len(seen.runs)} bundles with a verdict, of {len(seen.table)} levers on {len(seen.hosts)} hosts"
    yield f"| ten evaluations | {bundles} |"
    yield f"| none lost | `evaluate-all` {seen.flow_run['state_type'].lower()}; flow runs: {_counted(seen.states)} |"
    yield (
        f"| a host killed (-9, with all its processes) while it measured | {seen.killed}, "
        f"back after {seen.away_seconds:g} s; its run was marked crashed {late}, and started again |"
    )
    for host, found in seen.overlaps.items():
        words = f"{found} overlaps between the {counted[host]} measured windows of its evaluations"
        yield f"| no overlap on {host} | {words} |"
    yield f"| parallel across hosts | {seen.parallel_seconds:.0f} s with both at work, of {total} |"
    yield ""


def _counted(states: Counter[str]) -> str:
    return ", ".join(f"{count} {name.lower()}" for name, count in sorted(states.items()))


def _evaluations(seen: Observed) -> Iterator[str]:
    yield "## The evaluations"
    yield ""
    yield "| host | lever | first window (UTC) | last window ends | windows | verdict |"
    yield "| :-- | :-- | :-- | :-- | --: | :-- |"
    rows = []
    for plan, verdict in seen.runs:
        found = windows(seen.store / plan.lever.id.lower() / plan.run_id)
        end = max(window.end_ns for window in found)
        times = f"{_clock(found[0].start_ns)} | {_clock(end)} | {len(found)}"
        rows.append((plan.host.name, found[0].start_ns, f"{plan.lever.id} | {times} | {verdict.verdict}"))
    yield from (f"| {name} | {row} |" for name, _, row in sorted(rows))
    yield ""
    yield _paragraph(
        f"{seen.killed} was killed at {seen.killed_at:%H:%M:%S}. Its next run waited until the dead one's hold on the",
        "host lapsed, which takes at most 60 s; the lost evaluation was started again once its run counted as crashed.",
    )
    yield ""


def _clock(time_ns: int) -> str:
    return f"{datetime.fromtimestamp(time_ns / 1e9, UTC):%H:%M:%S.%f}"[:-3]


def _compared(seen: Observed) -> Iterator[str]:
    yield "## What the hosts found"
    yield ""
    yield _paragraph(
        "The artifact `hosts` of the run, with the same seed for both hosts of a lever. These are figures of the",
        "set-up and not of a lever: efforts are shortened to seconds, and a host has a single CPU, which what measures",
        "shares with what is measured and with whatever else this machine does. A host that says `work-moved` could",
        "therefore not see the saving from outside, which counts against it as it would where a candidate cheats.",
    )
    yield ""
    names = list(seen.table[0]) if seen.table else []
    yield f"| {' | '.join(names)} |"
    yield f"|{' :-- |' * len(names)}"
    yield from (f"| {' | '.join(row.get(name, '') for name in names)} |" for row in seen.table)
    yield ""


def _access(seen: Observed) -> Iterator[str]:
    yield "## Who gets in"
    yield ""
    yield "| a request through the proxy | answer |"
    yield "| :-- | :-- |"
    yield from (f"| {who} | {answer} |" for who, answer in seen.refusals.items())
    yield ""
    sizes = ", ".join(f"{count} keys in database {name}" for name, count in seen.redis.items())
    yield f"At the end Redis held {sizes} (0: messages, order, leases; 1: services)."
