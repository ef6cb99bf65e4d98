"""Runs inside the child: serves a Python subject or a lever's workload over two inherited pipes.

Standard library only and started by file path, so that a subject can live in another interpreter or virtual
environment. The protocol is described in docs/subject-protocol.md. Usage:

    python -P runner.py subject  FILE TREE
    python -P runner.py workload FILE TREE
"""

import gc
import hashlib
import importlib.util
import json
import os
import sys
import traceback
from itertools import islice
from pathlib import Path

# Bound before any code of the lever is loaded: replacing time.perf_counter_ns later changes nothing here.
from time import perf_counter_ns as now

PROTOCOL = 1


class Failure(Exception):
    """Code of the lever failed; `stage` says where."""

    def __init__(self, stage, error):
        super().__init__(str(error))
        self.stage = stage
        self.error = error


def load_module(file, tree):
    """Import FILE (relative to TREE) with TREE first on sys.path."""
    sys.path.insert(0, str(tree))
    path = Path(tree, file)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise Failure("import", FileNotFoundError(f"{file} is not a Python file in {tree}"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        raise Failure("import", error) from error
    return module


def timed_block(operate, groups):
    """Run groups of operations; one duration a group. Profiles keep only what runs below this frame."""
    durations, results = [], []
    for group in groups:
        start = now()
        outcome = [operate(operation) for operation in group]
        durations.append(now() - start)
        results.extend(outcome)
    return durations, results


class SubjectServer:
    """Answers hello, load, run, results and close for one `class Subject`."""

    def __init__(self, file, tree):
        self.file, self.tree = file, tree
        self.subject = None
        self.groups, self.found = [], []

    def hello(self, message):
        module = load_module(self.file, self.tree)
        try:
            self.subject = module.Subject(message["params"], Path(message["workdir"]))
        except BaseException as error:
            raise Failure("init", error) from error
        return {"type": "ready", "protocol": PROTOCOL}

    def load(self, message):
        operations, size = message["operations"], message["group"]
        self.groups = [operations[at : at + size] for at in range(0, len(operations), size)]
        return {"type": "loaded"}

    def run(self, message):
        try:
            durations, self.found = timed_block(self.subject.operate, self.groups)
        except BaseException as error:
            raise Failure("operate", error) from error
        self.groups = []
        return {"type": "timed", "durations_ns": durations}

    def results(self, message):
        found, self.found = self.found, []
        return {"type": "results", "results": found}

    def settle(self, message):
        """After the warm-up: what lives now is not scanned by the collector again during timed blocks."""
        gc.collect()
        gc.freeze()
        return {"type": "settled"}

    def close(self, message):
        if hasattr(self.subject, "close"):
            self.subject.close()
        return {"type": "closed", "files": loaded_files(self.tree)}


class WorkloadServer:
    """Answers for a lever's workload.py: operations, preparation, canonical results, edge cases."""

    def __init__(self, file, tree):
        self.file, self.tree = file, tree
        self.module = self.params = self.stream = None

    def hello(self, message):
        self.module = load_module(self.file, self.tree)
        self.params = message["params"]
        return {"type": "ready", "protocol": PROTOCOL, "prepares": hasattr(self.module, "prepare")}

    def stream_from(self, message):
        self.stream = iter(self._call("operations", self.params, message["seed"]))
        return {"type": "streaming"}

    def next(self, message):
        try:
            return {"type": "operations", "operations": list(islice(self.stream, message["count"]))}
        except Exception as error:
            raise Failure("operations", error) from error

    def prepare(self, message):
        params = message.get("params", self.params)
        self._call("prepare", message["operation"], params, Path(message["workdir"]))
        return {"type": "prepared"}

    def canonical(self, message):
        found = [self._call("canonical", result) for result in message["results"]]
        if not all(isinstance(item, bytes) for item in found):
            raise Failure("canonical", TypeError("canonical() must return bytes"))
        if message.get("text"):
            return {"type": "canonical", "texts": [item.decode("utf-8", "backslashreplace") for item in found]}
        return {"type": "canonical", "sha256": [hashlib.sha256(item).hexdigest() for item in found]}

    def edge_cases(self, message):
        cases = [[name, list(operations)] for name, operations in self._call("edge_cases", self.params)]
        return {"type": "edge_cases", "cases": cases}

    def close(self, message):
        return {"type": "closed", "files": loaded_files(self.tree)}

    def _call(self, name, *arguments):
        try:
            return getattr(self.module, name)(*arguments)
        except Exception as error:
            raise Failure(name, error) from error


def loaded_files(tree):
    """Files of TREE that this process has imported, relative and sorted."""
    root = os.path.realpath(tree) + os.sep
    paths = {os.path.realpath(m.__file__) for m in list(sys.modules.values()) if getattr(m, "__file__", None)}
    return sorted(path[len(root) :] for path in paths if path.startswith(root))


def describe(failure):
    error = failure.error
    trace = "".join(traceback.format_exception(error))
    return {"type": "error", "stage": failure.stage, "error": f"{type(error).__name__}: {error}", "trace": trace[-4000:]}


def serve(server, incoming, outgoing):
    for line in incoming:
        message = json.loads(line)
        try:
            answer = getattr(server, message["type"])(message)
            encoded = json.dumps(answer, allow_nan=False)
        except Failure as failure:
            encoded = json.dumps(describe(failure))
        except (TypeError, ValueError) as error:
            encoded = json.dumps(describe(Failure("result", error)))
        outgoing.write(encoded.encode() + b"\n")
        outgoing.flush()
        if message["type"] == "close":
            return


def main():
    role, file, tree = sys.argv[1:4]
    server = {"subject": SubjectServer, "workload": WorkloadServer}[role](file, tree)
    read_fd, write_fd = int(os.environ["PRFPIPE_READ_FD"]), int(os.environ["PRFPIPE_WRITE_FD"])
    with os.fdopen(read_fd, "rb") as incoming, os.fdopen(write_fd, "wb") as outgoing:
        serve(server, incoming, outgoing)


if __name__ == "__main__":
    main()
