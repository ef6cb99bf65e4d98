"""PRF-02's subject: one runtime with its extensions, which serves all hot paths in one thread.

`operate` is what is timed: it returns when the runtime has released the answer. Operations of the hot paths are made by
the levers' own workloads; those of the extension host are made here. Every extension that comes is a new one.
"""

import json
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gates.runtime import levers, publisher
from gates.runtime.core import Runtime

FOLDERS = {
    "compat": "lev_01_compat_cache",
    "lockstep": "lev_02_lockstep",
    "hostcalls": "lev_03_zero_copy",
    "policies": "lev_04_batch_policy",
    "scheduler": "lev_05_scheduler",
}
STANDING = {"compat": "project", "lockstep": "streams"}
"""Paths whose files are put into place once and signed: a project and recordings that are looked at again and again."""
KINDS = ("opened", "changed", "saved", "closed")
WORDS = ("# part", "runtime", "key=s3cret", "\n", "module", "loads", "token=abc", "what", "it", "uses")
Operation = Mapping[str, Any]


class Subject:
    """`params`: `extensions` at the beginning, `pool` of all that may come, `seed`, and for each path its `paths`."""

    def __init__(self, params: Mapping[str, Any], workdir: Path) -> None:
        self._names = [f"{name}_{number}" for number, name in enumerate(_stems(params["pool"]))]
        self._there = params["extensions"]
        state = workdir / "state"
        config = _install(state, self._names)
        self._runtime = Runtime.start(config, state, workdir=workdir)
        for name in self._names[: self._there]:
            self._runtime.extensions.add(name)
        self._streams = {kind: _stream(kind, wanted, params, workdir) for kind, wanted in params["paths"].items()}
        self._streams["dispatch"] = _events(random.Random(params["seed"]))
        self._next: dict[tuple[str, int], Any] = {}
        self._registered = self._there

    def prepare(self, kind: str, number: int) -> None:
        """What an operation needs; not timed."""
        if kind == "register":
            self._next[kind, number] = self._name(self._there + number)
        elif kind == "unregister":
            self._next[kind, number] = self._name(number)
        else:
            self._next[kind, number] = next(self._streams[kind])

    def operate(self, kind: str, number: int) -> Any:
        """One operation; returns its answer."""
        operation = self._next.pop((kind, number))
        match kind:
            case "register":
                return self._runtime.extensions.add(operation)
            case "unregister":
                return self._runtime.extensions.remove(operation)
            case "dispatch":
                return self._runtime.extensions.dispatch(operation)
            case _:
                return self._runtime.perform(kind, operation)

    def verify(self, kind: str, number: int, answer: Any) -> bytes | None:
        """Refuse a wrong answer; what must be the same where no extension comes or goes. Not timed."""
        match kind:
            case "register":
                self._registered += 1
            case "unregister":
                self._registered -= 1
            case "dispatch":
                if len(answer) != self._registered:
                    raise ValueError(f"dispatch {number}: {len(answer)} answers of {self._registered} extensions")
            case _:
                return json.dumps(answer, sort_keys=True).encode("ascii")
        return None

    def facts(self) -> dict[str, int]:
        """Counts for the report."""
        audit = self._runtime.guard.audit
        return {
            "extensions": len(self._runtime.extensions.names),
            "modules": len(sys.modules),
            "audit records": audit.head.records if audit else 0,
        }

    def close(self) -> None:
        """Ends the runtime."""
        self._runtime.close()

    def _name(self, number: int) -> str:
        return self._names[number % len(self._names)]


def _stems(pool: int) -> list[str]:
    stems = sorted(path.stem for path in (publisher.HERE / "extensions").glob("*.py"))
    return [stems[number % len(stems)] for number in range(pool)]


def _install(state: Path, names: list[str]) -> Path:
    """A state whose publisher has signed the whole pool, no two extensions alike, and vets all of it."""
    sources = {path.stem: path.read_text(encoding="utf-8") for path in (publisher.HERE / "extensions").glob("*.py")}
    extensions = {name: f"{sources[name.rpartition('_')[0]]}\nNAME = {name!r}\n" for name in names}
    config = publisher.install(state, extensions=extensions)
    entities = state / "trust" / publisher.ENTITIES
    vetted = [
        {"uid": {"type": "Extension", "id": name}, "attrs": {}, "parents": [{"type": "Group", "id": "vetted"}]}
        for name in names
    ]
    known = [each for each in json.loads(entities.read_text(encoding="utf-8")) if each["uid"]["id"] not in set(names)]
    entities.write_text(json.dumps([*known, *vetted]), encoding="utf-8")
    publisher.publish(state, (publisher.HERE / publisher.POLICIES).read_text(encoding="utf-8"), epoch=1)
    return config


def _stream(kind: str, wanted: Operation, params: Operation, workdir: Path) -> Iterator[Any]:
    workload = levers.load(FOLDERS[kind], "workload").workload
    stream: Iterator[Any] = workload.operations(wanted, params["seed"])
    if kind == "scheduler":
        return _cut(stream, wanted["steps"])
    return stream if kind not in STANDING else _standing(kind, next(stream), wanted, workload.prepare, workdir)


def _cut(segments: Iterator[list[Any]], size: int) -> Iterator[list[Any]]:
    """A trace may be cut anywhere; an operation here is a slice of it, so that others get their turn."""
    for steps in segments:
        for at in range(0, len(steps), size):
            yield steps[at : at + size]


def _standing(
    kind: str, operation: dict[str, Any], wanted: Operation, prepare: Callable[..., None], workdir: Path
) -> Iterator[Any]:
    """The same operation again and again, its files put into place and signed once."""
    prepare(operation, wanted, workdir)
    folder = STANDING[kind]
    (workdir / f"{folder}.manifest").write_bytes(publisher.sign_folder(workdir / folder, folder, 1))
    if "recorded" in operation:
        operation = operation | {"recorded": operation["recorded"] | {"signed": True}}
    while True:
        yield operation


def _events(rng: random.Random) -> Iterator[dict[str, str]]:
    while True:
        yield {"kind": rng.choice(KINDS), "text": " ".join(rng.choices(WORDS, k=rng.randrange(10, 60)))}
