"""Runs inside the child: serves a Python subject or a lever's workload over two inherited pipes.

Standard library only and started by file path, so that a subject can live in another interpreter or virtual
environment. The protocol is described in docs/subject-protocol.md. Usage:

    python -P runner.py subject  FILE TREE
    python -P runner.py workload FILE TREE
"""

import gc
import importlib.util
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

# Bound before any code of the lever is loaded: replacing time.perf_counter_ns later changes nothing here.
from time import perf_counter_ns as now
from types import ModuleType
from typing import Any, BinaryIO

PROTOCOL = 1

WORKLOAD_COLLECTS_AFTER = 100_000
"""Objects. Operations are many small lists without cycles: looking for garbage takes as long as making them."""

Message = dict[str, Any]


class LeverCodeError(Exception):
    """Code of the lever failed; `stage` says where."""

    def __init__(self, stage: str, error: BaseException) -> None:
        super().__init__(str(error))
        self.stage = stage
        self.error = error


def load_module(file: str, tree: str) -> ModuleType:
    """Import FILE (relative to TREE) with TREE first on sys.path."""
    sys.path.insert(0, str(tree))
    path = Path(tree, file)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise LeverCodeError("import", FileNotFoundError(f"{file} is not a Python file in {tree}"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        raise LeverCodeError("import", error) from error
    return module


def timed_block(operate: Callable[[Any], Any], groups: list[list[Any]]) -> tuple[list[int], list[Any]]:
    """Run groups of operations; one duration a group. Profiles keep only what runs below this frame."""
    durations: list[int] = []
    results: list[Any] = []
    for group in groups:
        start = now()
        outcome = [operate(operation) for operation in group]
        durations.append(now() - start)
        results.extend(outcome)
    return durations, results


def warm_up(operate: Callable[[Any], Any], groups: list[list[Any]]) -> tuple[list[int], list[Any]]:
    """Like timed_block, until `settle`: profiles leave out what runs below this frame."""
    return timed_block(operate, groups)


class SubjectServer:
    """Answers hello, load, run, results and close for one `class Subject`."""

    def __init__(self, file: str, tree: str) -> None:
        self.file, self.tree = file, tree
        self.subject: Any = None
        self.block = warm_up
        self.groups: list[list[Any]] = []
        self.found: list[Any] = []
        self.opened: set[str] = set()

    def hello(self, message: Message) -> Message:
        """Import the variant and make its subject; where it is asked for, note which files are opened from now on."""
        if message.get("note_files"):
            self.opened = noting_files()
        module = load_module(self.file, self.tree)
        try:
            self.subject = module.Subject(message["params"], Path(message["workdir"]))
        except BaseException as error:
            raise LeverCodeError("init", error) from error
        return {"type": "ready", "protocol": PROTOCOL}

    def load(self, message: Message) -> Message:
        """Take the operations of the next block, cut into groups."""
        operations, size = message["operations"], message["group"]
        self.groups = [operations[at : at + size] for at in range(0, len(operations), size)]
        return {"type": "loaded"}

    def run(self, message: Message) -> Message:
        """Answer the loaded operations, timed."""
        try:
            durations, self.found = self.block(self.subject.operate, self.groups)
        except BaseException as error:
            raise LeverCodeError("operate", error) from error
        return {"type": "timed", "durations_ns": durations}

    def results(self, message: Message) -> Message:
        """Hand over the results of the last block; where it is asked for, its operations as they are now."""
        found, self.found = self.found, []
        groups, self.groups = self.groups, []
        answer = {"type": "results", "results": found}
        if message.get("operations"):
            answer["operations"] = [operation for group in groups for operation in group]
        return answer

    def settle(self, message: Message) -> Message:
        """After the warm-up: what lives now is not scanned by the collector again during timed blocks."""
        gc.collect()
        gc.freeze()
        self.block = timed_block
        return {"type": "settled"}

    def close(self, message: Message) -> Message:
        """End in good order; say which files of the tree were loaded."""
        if hasattr(self.subject, "close"):
            self.subject.close()
        return {"type": "closed", "files": files_of(self.tree, loaded_files() | self.opened)}


class WorkloadServer:
    """Answers for a lever's workload.py: operations, preparation, canonical results, edge cases."""

    def __init__(self, file: str, tree: str) -> None:
        self.file, self.tree = file, tree
        self.module: Any = None
        self.params: dict[str, Any] = {}
        self.stream: Iterator[Any] = iter(())
        # Not above, since a subject starts faster without; not later, since the lever may have a file of that name.
        from hashlib import sha256

        self.sha256 = sha256

    def hello(self, message: Message) -> Message:
        """Import workload.py for one set of parameters."""
        self.module = load_module(self.file, self.tree)
        self.params = message["params"]
        return {"type": "ready", "protocol": PROTOCOL, "prepares": hasattr(self.module, "prepare")}

    def stream_from(self, message: Message) -> Message:
        """Start a fresh stream of operations."""
        self.stream = iter(self._call("operations", self.params, message["seed"]))
        return {"type": "streaming"}

    def next(self, message: Message) -> Message:
        """The next operations of the stream."""
        try:
            return {"type": "operations", "operations": list(islice(self.stream, message["count"]))}
        except Exception as error:
            raise LeverCodeError("operations", error) from error

    def prepare(self, message: Message) -> Message:
        """Put the world as an operation needs it; whether that will do for all later ones is what `prepare` returns."""
        params = message.get("params", self.params)
        found = self._call("prepare", message["operation"], params, Path(message["workdir"]))
        return {"type": "prepared", "for_good": found is True}

    def canonical(self, message: Message) -> Message:
        """What the oracle compares: digests, or texts for people."""
        found = [self._call("canonical", result) for result in message["results"]]
        if not all(isinstance(item, bytes) for item in found):
            raise LeverCodeError("canonical", TypeError("canonical() must return bytes"))
        if message.get("text"):
            return {
                "type": "canonical",
                "texts": [item.decode("utf-8", "backslashreplace") for item in found],
            }
        return {"type": "canonical", "sha256": [self.sha256(item).hexdigest() for item in found]}

    def edge_cases(self, message: Message) -> Message:
        """Every edge case with its operations."""
        cases = [[name, list(operations)] for name, operations in self._call("edge_cases", self.params)]
        return {"type": "edge_cases", "cases": cases}

    def close(self, message: Message) -> Message:
        """End in good order."""
        return {"type": "closed", "files": files_of(self.tree, loaded_files())}

    def _call(self, name: str, *arguments: Any) -> Any:
        try:
            return getattr(self.module, name)(*arguments)
        except Exception as error:
            raise LeverCodeError(name, error) from error


def files_of(tree: str, paths: set[str]) -> list[str]:
    """Those of the paths that lie in TREE, relative and sorted."""
    root = os.path.realpath(tree) + os.sep
    return sorted(path[len(root) :] for path in paths if path.startswith(root))


def loaded_files() -> set[str]:
    """Files that this process has imported."""
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return {os.path.realpath(file) for file in files if file}


def noting_files() -> set[str]:
    """A set that grows with each file that this process opens, by whatever function of Python (PEP 578)."""
    opened: set[str] = set()

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            opened.add(os.path.realpath(os.fsdecode(arguments[0])))

    sys.addaudithook(note)
    return opened


def describe(failure: LeverCodeError) -> Message:
    """The error message that the parent turns into an exception."""
    error = failure.error
    trace = "".join(traceback.format_exception(error))[-4000:]
    return {
        "type": "error",
        "stage": failure.stage,
        "error": f"{type(error).__name__}: {error}",
        "trace": trace,
    }


def serve(server: SubjectServer | WorkloadServer, incoming: Iterable[bytes], outgoing: BinaryIO) -> None:
    """Answer messages until `close` or end of file."""
    for line in incoming:
        message = json.loads(line)
        try:
            answer = getattr(server, message["type"])(message)
            encoded = json.dumps(answer, allow_nan=False)
        except LeverCodeError as failure:
            encoded = json.dumps(describe(failure))
        except (TypeError, ValueError) as error:
            encoded = json.dumps(describe(LeverCodeError("result", error)))
        outgoing.write(encoded.encode() + b"\n")
        outgoing.flush()
        if message["type"] == "close":
            return


def main() -> None:
    """Serve over the pipes that the environment names."""
    role, file, tree = sys.argv[1:4]
    server = SubjectServer(file, tree) if role == "subject" else WorkloadServer(file, tree)
    if role == "workload":
        gc.set_threshold(WORKLOAD_COLLECTS_AFTER)
    read_fd, write_fd = int(os.environ["PRFPIPE_READ_FD"]), int(os.environ["PRFPIPE_WRITE_FD"])
    with os.fdopen(read_fd, "rb") as incoming, os.fdopen(write_fd, "wb") as outgoing:
        serve(server, incoming, outgoing)


if __name__ == "__main__":
    main()
