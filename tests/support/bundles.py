"""A small valid bundle, built through the same doors as a real run's, and ways to sign and seal it again.

`KEY` signs plan and statement unless another key is given; `TRUST` trusts it. `build` makes a folder, `resealed` and
`rechained` take files and give files.
"""

import gzip
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from prfpipe import figures, layout
from prfpipe.artifacts.art01 import baseline_report
from prfpipe.artifacts.art03 import comparison
from prfpipe.artifacts.art04 import proof_notes
from prfpipe.artifacts.art05 import tail_notes
from prfpipe.attest import SealFacts, predicate_for, read_statement, statement_payload
from prfpipe.attest.plan_seal import make_plan_seal, sealed_plan_files
from prfpipe.attest.signing import SigningKey
from prfpipe.attest.trust import Trust
from prfpipe.bundle import RunFolder
from prfpipe.digests import canonical_json, derive_seed, pretty_json, sha256_hex, sha256_tree
from prfpipe.doctrine import Stage
from prfpipe.errors import BundleError
from prfpipe.events import events_bytes, events_for
from prfpipe.models import (
    Arm,
    Effort,
    FileDigest,
    Invocation,
    LockstepResult,
    Plan,
    ProofRecord,
    SampleSet,
    Schedule,
    StoreGuarantees,
    TreeRecord,
)
from prfpipe.plan import make_rule
from prfpipe.runlog import RunLog, Step
from prfpipe.samples import SampleWriter, read_samples
from prfpipe.stopping import is_enough
from prfpipe.verdict import decide
from tests.support import records

SPEEDUPS = {"incremental-1000": 7.4, "tenth-100": 6.1}
ROUNDS = 12
RUN_ID = "20261123T081500Z-lev-01-3f9c2a7b"
STORE = StoreGuarantees(kind="directory", guarantees={}, level="unknown")


def signing_key(number: int) -> SigningKey:
    """A key that everybody knows: always the same for the same number."""
    return SigningKey(Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big")))


KEY, OTHER_KEY = signing_key(1), signing_key(2)
TRUST = Trust.in_keys(KEY.public)
_START = datetime(2026, 11, 23, 8, 15, tzinfo=UTC)


def own_version() -> str:
    try:
        return version("prfpipe")
    except PackageNotFoundError:
        return "not installed"


def plan(**changes: Any) -> Plan:
    spec = changes.pop("lever", None) or records.lever(SPEEDUPS, guards=())
    values: dict[str, Any] = {
        "run_id": RUN_ID,
        "effort": Effort.QUICK,
        "rule": make_rule(spec, Effort.QUICK),
        "provenance": records.provenance(tools={"prfpipe": own_version(), "python": "3.11.2"}),
    }
    return records.plan(spec, **{**values, **changes})


def schedules(the_plan: Plan) -> tuple[Schedule, ...]:
    return tuple(Schedule(scenario=item.name, group=1, block=1, rounds=ROUNDS) for item in the_plan.lever.scenarios)


def invocation(the_plan: Plan, stage: Stage, scenario: str, index: int, arms: tuple[Arm, ...]) -> Invocation:
    seed = derive_seed(derive_seed(the_plan.seed, f"stage {stage}", 0), scenario, index)
    made = records.invocation(scenario, index, SPEEDUPS[scenario], operations=ROUNDS, arms=arms, seed=index)
    blocks = {
        arm: found.model_copy(update={"wall_ns": found.samples_ns, "cpu_ns": found.samples_ns})
        for arm, found in made.arms.items()
    }
    return made.model_copy(update={"seed": seed, "arms": blocks, "elapsed_ns": (index + 1) * 1_500_000_000})


def invocations(the_plan: Plan, stage: Stage) -> Iterator[Invocation]:
    """As the loop measures: until it is enough."""
    arms: tuple[Arm, ...] = ("baseline", "control") if stage is Stage.BASELINE else ("baseline", "control", "candidate")
    for schedule in schedules(the_plan):
        done: list[Invocation] = []
        while not is_enough(the_plan, stage, schedule, done):
            done.append(invocation(the_plan, stage, schedule.scenario, len(done), arms))
            yield done[-1]


def proof(the_plan: Plan, stage: str) -> ProofRecord:
    compared = [(scenario.name, "candidate") for scenario in the_plan.lever.scenarios]
    lockstep = tuple(
        LockstepResult(scenario=scenario, against=against, seed=11, operations=240, differences=())
        for scenario, against in [*compared, (records.PRIMARY, "baseline")]
    )
    changes: dict[str, Any] = {"tree_digest": sha256_tree(the_plan.source_files), "lockstep": lockstep}
    if stage == "prove":
        file = (
            records.proof("prove")
            .coverage[0]
            .model_copy(update={"missing_lines": (), "missing_branches": (), "excluded_lines": ()})
        )
        changes["coverage"] = (file,)
    else:
        changes["edge_cases"] = (records.case(),)
        changes["self_test"] = records.proof("prove").self_test
    return records.proof(stage, **changes)


class Clock:
    """A wall clock that moves on by a second each time it is read."""

    def __init__(self) -> None:
        self.now = _START

    def __call__(self) -> str:
        self.now += timedelta(seconds=1)
        return self.now.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Parts:
    """What a bundle is made of; replace parts to build another one."""

    plan: Plan
    baseline: tuple[Invocation, ...]
    reprofile: tuple[Invocation, ...]
    proofs: tuple[ProofRecord, ...]
    tree: TreeRecord

    @classmethod
    def of(cls, the_plan: Plan) -> "Parts":
        return cls(
            plan=the_plan,
            baseline=tuple(invocations(the_plan, Stage.BASELINE)),
            reprofile=tuple(invocations(the_plan, Stage.REPROFILE)),
            proofs=(proof(the_plan, "prove"), proof(the_plan, "verify")),
            tree=records.tree(files=the_plan.source_files, digest=sha256_tree(the_plan.source_files)),
        )


def profile_files(variant: str) -> dict[str, bytes]:
    record = records.profile(variant)
    assert record.cpu is not None
    assert record.allocations is not None
    hotspots = [found.model_dump() for found in record.cpu.hotspots]
    raw = {
        "cpu.folded": b"operate;parse 12\n",
        "cpu.svg": records.flamegraph(variant),
        "hotspots.json": pretty_json({"self": hotspots, "total": hotspots}),
        "memory.json": pretty_json(record.allocations.model_dump()),
        "memory.html": b"<!doctype html>\n",
    }
    return {
        **{layout.profile_file(variant, name): data for name, data in raw.items()},
        **layout.profile_files(record),
    }


def stages(parts: Parts, key: SigningKey = KEY) -> Mapping[Stage, Callable[[RunFolder], None]]:
    """What each stage of a run leaves, in order; `key` signs the plan."""
    prove, verify = parts.proofs

    def baseline(folder: RunFolder) -> None:
        found = _record(folder, Stage.BASELINE, parts.plan, parts.baseline)
        folder.write_all(baseline_report(parts.plan, figures.baseline_results(parts.plan, found), found))

    def reprofile(folder: RunFolder) -> None:
        _record(folder, Stage.REPROFILE, parts.plan, parts.reprofile)
        folder.write_all(profile_files("candidate"))
        folder.write_all(layout.difference_files(records.profile_diff()))
        folder.write_all({layout.DIFFERENCE_FOLDED: b"a 1 2\n", layout.DIFFERENCE_SVG: records.flamegraph("diff")})

    return {
        Stage.PLAN: lambda folder: folder.write_all(sealed_plan_files(parts.plan, key)),
        Stage.BASELINE: baseline,
        Stage.PROFILE: lambda folder: folder.write_all(profile_files("baseline")),
        Stage.PROVE: lambda folder: folder.write_all(layout.proof_files(prove)),
        Stage.IMPLEMENT: lambda folder: folder.write_all(layout.tree_files(parts.tree, records.PATCH)),
        Stage.VERIFY: lambda folder: folder.write_all(layout.proof_files(verify)),
        Stage.REPROFILE: reprofile,
        Stage.DECIDE: lambda folder: decide_run(folder, parts),
    }


def _record(folder: RunFolder, stage: Stage, the_plan: Plan, measured: tuple[Invocation, ...]) -> SampleSet:
    with SampleWriter(folder, stage) as writer:
        for schedule in schedules(the_plan):
            writer.append(schedule)
            for item in measured:
                if item.scenario == schedule.scenario:
                    writer.append(item)
        path = writer.finish()
    return read_samples(path.read_bytes(), path.name, stage)


def decide_run(folder: RunFolder, parts: Parts) -> None:
    files = folder.contents()
    name = layout.SAMPLES[Stage.REPROFILE]
    tree = layout.read_tree(files)
    assert tree is not None
    verdict = decide(
        parts.plan,
        read_samples(files[name], name),
        layout.read_proofs(files),
        layout.read_profiles(files),
        tree,
    )
    made = {
        **layout.verdict_files(verdict),
        **comparison(parts.plan, verdict),
        **tail_notes(parts.plan, verdict),
        **proof_notes(parts.plan, *parts.proofs),
        layout.REPORT: page(parts.plan.run_id, verdict.verdict, verdict.claim, layout.encode(verdict)),
    }
    missing = layout.missing_files(parts.plan, [*files, *made])
    made[layout.EVENTS] = events_bytes(events_for(parts.plan, verdict, missing, "2026-11-23T08:20:00Z"))
    folder.write_all(made)


def page(run_id: str, word: str, claim: str, verdict: bytes) -> bytes:
    """A stand-in for the report, which takes seconds to draw: what the audit reads of it."""
    told = {"verdict": word, "claim": claim, "run": run_id, "verdict-sha256": sha256_hex(verdict)}
    metas = "\n".join(f'<meta name="prfpipe-{name}" content="{value}">' for name, value in told.items())
    return f"<!doctype html>\n<html><head>\n{metas}\n</head><body></body></html>\n".encode()


@dataclass(frozen=True)
class Place:
    """What a statement says of its place in the chain of its lever and key, and of its store."""

    sequence: int = 1
    previous: str | None = None
    store: StoreGuarantees = STORE


def build(parent: Path, parts: Parts, *, key: SigningKey = KEY, place: Place = Place()) -> Path:
    """A sealed bundle in a new folder below `parent`."""
    with RunFolder.create(parent, parts.plan.run_id) as folder:
        record(folder, parts, key)
        folder.seal(statement(folder.contents(), key=key, place=place))
        return folder.path


def record(folder: RunFolder, parts: Parts, key: SigningKey = KEY) -> None:
    """Everything that a run leaves before it is sealed."""
    runlog = RunLog(folder, parts.plan.run_id, Clock())
    for stage, perform in stages(parts, key).items():
        runlog.started(stage)
        perform(folder)
        runlog.finished(stage)
    runlog.close()


def statement(files: Mapping[str, bytes], *, key: SigningKey = KEY, place: Place = Place(), **changes: Any) -> bytes:
    """A signed statement over these files; `changes` replace fields of its predicate."""
    kept = {name: data for name, data in files.items() if name != layout.STATEMENT}
    digests = {name: _digest(data) for name, data in kept.items()}
    time = kept[layout.RUNLOG].splitlines()[-1].split(b'"time":"')[1].split(b'"')[0].decode()
    facts = SealFacts(time, place.store, place.sequence, place.previous)
    samples = {stage: _samples_in(kept, stage) for stage in layout.SAMPLES}
    predicate = predicate_for(digests, layout.read_plan(kept), layout.read_verdict(kept), samples, facts)
    return key.seal(statement_payload(digests, predicate.model_copy(update=changes)))


def _samples_in(files: Mapping[str, bytes], stage: Stage) -> SampleSet:
    name = layout.SAMPLES[stage]
    try:
        return read_samples(files[name], name, stage)
    except BundleError:
        return SampleSet(schedules=(), invocations=())


def resealed(files: Mapping[str, bytes], *, key: SigningKey = KEY, **changes: Any) -> dict[str, bytes]:
    """The same files under a fresh statement in the same place: what somebody does who has a key and the format."""
    place = Place()
    if layout.STATEMENT in files:
        told = read_statement(files[layout.STATEMENT]).predicate
        place = Place(told.sequence, told.previous, told.store)
    return {**files, layout.STATEMENT: statement(files, key=key, place=place, **changes)}


def rechained(files: Mapping[str, bytes], *, key: SigningKey = KEY) -> dict[str, bytes]:
    """The same files with the plan signed anew, a journal that claims them as they are now, and a fresh statement."""
    the_plan = layout.read_plan(files)
    signed = {**files, layout.PLAN_SEAL: plan_seal(files, key)}
    previous, lines = sha256_hex(the_plan.run_id.encode()), []
    for line in files[layout.RUNLOG].splitlines():
        step = Step.model_validate_json(line)
        claimed = {name: _digest(signed[name]) for name in step.files if name in signed}
        step = step.model_copy(update={"previous": previous, "files": claimed})
        lines.append(canonical_json(step.model_dump(mode="json")))
        previous = sha256_hex(lines[-1])
    return resealed({**signed, layout.RUNLOG: b"\n".join(lines) + b"\n"}, key=key)


def plan_seal(files: Mapping[str, bytes], key: SigningKey = KEY) -> bytes:
    """The seal of the plan that is there, whatever its spelling."""
    return make_plan_seal(layout.read_plan(files), files[layout.PLAN], key)


def _digest(data: bytes) -> FileDigest:
    return FileDigest(sha256=sha256_hex(data), size=len(data))


def edited_samples(files: Mapping[str, bytes], edit: Callable[[list[bytes]], list[bytes]]) -> dict[str, bytes]:
    """The comparison's samples with other lines, the header left out of `edit`."""
    name = layout.SAMPLES[Stage.REPROFILE]
    header, *lines = gzip.decompress(files[name]).splitlines()
    return {**files, name: gzip.compress(b"".join(line + b"\n" for line in [header, *edit(lines)]), mtime=0)}
