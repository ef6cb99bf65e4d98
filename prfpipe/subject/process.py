"""Subjects and workloads as child processes: what they are asked, and the time that it takes from outside."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prfpipe.errors import SubjectProtocolError
from prfpipe.subject import family
from prfpipe.subject.child import Child
from prfpipe.subject.protocol import PROTOCOL, Message


@dataclass(frozen=True)
class Block:
    """What one block of operations gave. `results` is the JSON line as it came from the subject.

    `samples_ns`: by the subject's clock; `wall_ns`: by the parent's; `cpu_ns`: the kernel's CPU clock of the
    subject's process, all threads. `exchange_ns`: by the parent's clock, from handing over the operations to having
    the results: what a subject does before it is told to run, or when the results are fetched, is in it.
    """

    operations: int
    samples_ns: tuple[int, ...]
    wall_ns: int
    cpu_ns: int
    exchange_ns: int
    results: bytes


class Subject(Child):
    """A running variant."""

    _first_answer_ns: int | None = None

    def hello(self, params: Mapping[str, Any], workdir: Path, *, note_files: bool = False) -> None:
        """Make the subject ready for operations; with `note_files` it says in the end which files it opened, too.

        Raises:
            SubjectCrashError: it failed to import or to start; its own message is kept.
        """
        message = {"type": "hello", "protocol": PROTOCOL, "params": dict(params), "workdir": str(workdir)}
        message |= {"note_files": True} if note_files else {}
        answer = self.ask(message, "ready")
        if answer.get("protocol") != PROTOCOL:
            raise SubjectProtocolError(
                f"{self.launch.name} speaks protocol {answer.get('protocol')!r}",
                hint=f"It must speak {PROTOCOL}.",
            )

    def run(self, operations: Sequence[object], group: int = 1, *, look_back: bool = False) -> Block:
        """Answer `operations`, `group` of them to a sample, timed by both clocks.

        With `look_back` the subject hands the operations back with the results: see `keeps`.
        """
        handed_over = time.perf_counter_ns()
        self.ask({"type": "load", "operations": list(operations), "group": group}, "loaded")
        cpu, start = self.cpu_ns(), time.perf_counter_ns()
        self.channel.send({"type": "run"})
        line = self.channel.receive_line()
        end = time.perf_counter_ns()
        cpu = self.cpu_ns() - cpu
        self._first_answer_ns = self._first_answer_ns or end
        samples = self._samples(self.channel.parse(line, "timed"), -(-len(operations) // group))
        self.channel.send({"type": "results", "operations": True} if look_back else {"type": "results"})
        results = self.channel.receive_line()
        exchange = time.perf_counter_ns() - handed_over
        return Block(len(operations), samples, end - start, cpu, exchange, results)

    def _samples(self, timed: Message, expected: int) -> tuple[int, ...]:
        durations = timed.get("durations_ns")
        valid = isinstance(durations, list) and all(type(value) is int and value >= 0 for value in durations)
        if not valid or len(durations or ()) != expected:
            raise SubjectProtocolError(
                f"{self.launch.name} sent durations_ns that are not {expected} integers of nanoseconds",
                hint="docs/subject-protocol.md shows each message.",
            )
        return tuple(durations or ())

    def results_of(self, block: Block) -> list[object]:
        """The results of a block, parsed.

        Raises:
            SubjectCrashError: a result is not a JSON value.
            SubjectProtocolError: there is not one result for each operation.
        """
        results = self.channel.parse(block.results, "results").get("results")
        if not isinstance(results, list) or len(results) != block.operations:
            raise SubjectProtocolError(
                f"{self.launch.name} sent no list of {block.operations} results",
                hint="docs/subject-protocol.md shows each message.",
            )
        return results

    def keeps(self, block: Block, operations: Sequence[object]) -> bool:
        """Whether the operations of a block are what they were; of a subject that did not look back, yes."""
        return bool(self.channel.parse(block.results, "results").get("operations", operations) == operations)

    @property
    def cold_start_ns(self) -> int:
        """From spawn to the first answered operation, by the parent's clock; 0 before there is one."""
        return (self._first_answer_ns or self.spawned_ns) - self.spawned_ns

    def settle(self) -> None:
        """Tell the subject that its warm-up is over."""
        self.ask({"type": "settle"}, "settled")

    def close_in_peace(self) -> int:
        """End the subject when it has nothing left to do; returns the CPU time of it and of all that it started.

        Work that was put off until after the answer, until the end, until after it or to another process is in it.
        """
        members = self._family.members()
        before = family.settle_down(members)
        self.close()
        family.wait_for_end(self.pid)
        return max(before, family.cpu_ns(members))

    def close(self) -> tuple[str, ...]:
        """End the subject in good order; returns the lever's files that it loaded (empty for commands)."""
        answer = self.ask({"type": "close"}, "closed")
        return tuple(str(name) for name in answer.get("files", ()))


class Workload(Child):
    """A lever's workload.py in a process of its own: owned by neither variant, never timed."""

    prepares: bool = False

    def hello(self, params: Mapping[str, Any]) -> None:
        """Load the workload for one scenario's parameters."""
        answer = self.ask({"type": "hello", "protocol": PROTOCOL, "params": dict(params)}, "ready")
        self.prepares = bool(answer.get("prepares"))

    def stream(self, seed: int) -> None:
        """Start a fresh stream of operations."""
        self.ask({"type": "stream_from", "seed": seed}, "streaming")

    def next(self, count: int) -> list[object]:
        """The next `count` operations of the stream.

        Raises:
            SubjectProtocolError: the stream ended: it must be endless.
        """
        operations = self.ask({"type": "next", "count": count}, "operations")["operations"]
        if len(operations) != count:
            raise SubjectProtocolError(
                f"{self.launch.name}: operations() ended after {len(operations)} of {count}",
                hint="operations(params, seed) must be endless and never repeat a timed input.",
            )
        return list(operations)

    def prepare(self, operation: object, workdir: Path, params: Mapping[str, Any] | None = None) -> bool:
        """Put the world in `workdir` as `operation` needs it; returns whether that will do for all later ones, too.

        Where the workload has no `prepare`, nothing is done, and nothing is needed.
        """
        if not self.prepares:
            return True
        message = {"type": "prepare", "operation": operation, "workdir": str(workdir)}
        answer = self.ask(message if params is None else {**message, "params": dict(params)}, "prepared")
        return bool(answer.get("for_good"))

    def digests(self, results: Sequence[object]) -> list[str]:
        """sha256 of each result's canonical bytes."""
        return list(self.ask({"type": "canonical", "results": list(results)}, "canonical")["sha256"])

    def texts(self, results: Sequence[object]) -> list[str]:
        """Each result's canonical bytes as text, for people."""
        return list(self.ask({"type": "canonical", "results": list(results), "text": True}, "canonical")["texts"])

    def edge_cases(self) -> list[tuple[str, list[object]]]:
        """The lever's edge cases: a name and a sequence of operations each."""
        return [(str(name), list(ops)) for name, ops in self.ask({"type": "edge_cases"}, "edge_cases")["cases"]]
