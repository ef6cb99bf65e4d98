"""The one place that knows how the files of a bundle are called, and which record is in which file.

Everything here is pure: records -> `{name: bytes}` and back. Names are relative POSIX paths of ASCII letters,
digits, `_`, `.` and `-`, so that they mean the same in every file system and every store.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from prfpipe.digests import canonical_json, pretty_json, read_json
from prfpipe.doctrine import ARTIFACTS, Stage
from prfpipe.errors import BundleError
from prfpipe.models import (
    CommandVariant,
    LeverSpec,
    Plan,
    ProfileDiff,
    ProfileRecord,
    ProofRecord,
    Record,
    TreeRecord,
    Verdict,
)

PLAN = "plan.json"
PLAN_SEAL = "plan.dsse.json"
VERDICT = "verdict.json"
EVENTS = "events.jsonl"
RUNLOG = "runlog.jsonl"
REPORT = "report.html"
STATEMENT = "statement.dsse.json"

BASELINE_REPORT = "art-01-baseline/report.json"
BASELINE_TEXT = "art-01-baseline/report.md"
COMPARISON = "art-03-comparison/comparison.json"
COMPARISON_TEXT = "art-03-comparison/comparison.md"
TAIL = "art-05-tail/tail.json"
TAIL_TEXT = "art-05-tail/tail.md"
PROOF_TEXT = "art-04-proof/proof.md"
VERIFY = "art-04-proof/verify.json"
CHANGE = "implement/change.patch"
TREE = "implement/tree.json"
DIFFERENCE = "art-02-profile/difference.json"
DIFFERENCE_FOLDED = "art-02-profile/diff.folded"
DIFFERENCE_SVG = "art-02-profile/diff.svg"

SAMPLES: Mapping[Stage, str] = {
    Stage.BASELINE: "art-01-baseline/samples.jsonl.gz",
    Stage.REPROFILE: "art-03-comparison/samples.jsonl.gz",
}
PARTIAL_SUFFIX = ".partial"

LOG = "log.txt"
LOG_PARTIAL = LOG + PARTIAL_SUFFIX
"""What the run says, for people: while it grows, and as stage decide leaves it. Nothing rests on it."""

_PROOF_PARTS = {
    "conformance": "art-04-proof/conformance.json",
    "lockstep": "art-04-proof/lockstep.json",
    "edge_cases": "art-04-proof/edge_cases.json",
    "mutants": "art-04-proof/mutants.json",
    "coverage": "art-04-proof/coverage.json",
    "self_test": "art-04-proof/oracle.json",
}
VARIANTS: tuple[Literal["baseline", "candidate"], ...] = ("baseline", "candidate")

MAX_NAME_CHARACTERS = 200
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", re.ASCII)
_HINT = "The file was not written by this version of prfpipe, or was changed afterwards; fetch the bundle again."

R = TypeVar("R", bound=Record)
Files = Mapping[str, bytes]


def is_name(name: str) -> bool:
    """Whether `name` can be a file of a bundle: nothing absolute, hidden, with `..` or odd letters."""
    return len(name) <= MAX_NAME_CHARACTERS and all(_PART.fullmatch(part) for part in name.split("/"))


def check_name(name: str) -> str:
    """Return `name` if `is_name` accepts it.

    Raises:
        BundleError: it does not.
    """
    if not is_name(name):
        raise BundleError(
            f"{name[:80]!a} cannot name a file of a bundle",
            hint="Use ASCII letters, digits, '_', '.' and '-', in parts joined by '/'; no leading '.'.",
        )
    return name


# ---- records and files ----------------------------------------------------------------------------------


def encode(record: Record) -> bytes:
    """The bytes of a record's file: JSON for people, the same on every Python."""
    return pretty_json(record.model_dump(mode="json"))


def decode(model: type[R], data: bytes, source: str) -> R:
    """The record that a file holds.

    Raises:
        BundleError: the bytes are not strict JSON, or not this record; the message names `source`.
    """
    read_json(data, source=source)
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise BundleError(f"{source}: {first_problem(error)}", hint=_HINT) from error


def line_of(record: Record) -> bytes:
    """A record as one line of a journal, without its end: the only bytes that `read_line` takes for it."""
    return canonical_json(record.model_dump(mode="json"))


def read_line(parse: Callable[[bytes], R], line: bytes) -> R:
    """The record that a line of a journal holds.

    Raises:
        ValueError: it holds none, or is spelt in another way; one line says what is wrong.
    """
    try:
        record = parse(line)
    except ValidationError as error:
        raise ValueError(first_problem(error)) from error
    # One comparison refuses duplicate keys, spaces, other spellings and what else readers let pass.
    if line_of(record) != line:
        raise ValueError("not in canonical form")
    return record


def first_problem(error: ValidationError) -> str:
    """What is wrong in one line: the place and the reason, without repeating the input."""
    first = error.errors(include_url=False, include_input=False)[0]
    # Keys come from the file: escaped, so that they cannot drive a terminal.
    place = ascii(".".join(str(part) for part in first["loc"]))[1:-1] or "top level"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{place}: {first['msg']}{more}"


def _load(model: type[R], files: Files, name: str) -> R:
    if name not in files:
        raise BundleError(f"{name} is missing", hint="The bundle is not complete: fetch it again, or resume the run.")
    return decode(model, files[name], name)


def plan_files(plan: Plan) -> dict[str, bytes]:
    """`plan.json`."""
    return {PLAN: encode(plan)}


def read_plan(files: Files) -> Plan:
    """The plan. Raises `BundleError`."""
    return _load(Plan, files, PLAN)


def verdict_files(verdict: Verdict) -> dict[str, bytes]:
    """`verdict.json`."""
    return {VERDICT: encode(verdict)}


def read_verdict(files: Files) -> Verdict:
    """The verdict as the producer wrote it. Raises `BundleError`."""
    return _load(Verdict, files, VERDICT)


def tree_files(tree: TreeRecord, change: bytes) -> dict[str, bytes]:
    """`implement/`: the candidate tree and the change (a unified diff) that made it."""
    return {TREE: encode(tree), CHANGE: change}


def read_tree(files: Files) -> TreeRecord | None:
    """The candidate tree, or None where the run ended before it. Raises `BundleError`."""
    return _load(TreeRecord, files, TREE) if TREE in files else None


def optimized_files(lever: LeverSpec) -> frozenset[str]:
    """The files of the optimized path, as the records of a tree name them."""
    return frozenset(PurePosixPath(name).as_posix() for name in lever.optimized_path)


def proof_files(record: ProofRecord) -> dict[str, bytes]:
    """The files of ART-04 (without `proof.md`): one a part for stage prove, one for stage verify.

    Every part names stage and tree, so that parts of two proofs cannot be mixed.
    """
    if record.stage == "verify":
        return {VERIFY: encode(record)}
    shared = {"stage": record.stage, "tree_digest": record.tree_digest}
    values = record.model_dump(mode="json")
    parts: dict[str, dict[str, Any]] = {part: {**shared, part: values[part]} for part in _PROOF_PARTS}
    parts["coverage"]["coverage_reason"] = values["coverage_reason"]
    return {name: pretty_json(parts[part]) for part, name in _PROOF_PARTS.items()}


def read_proofs(files: Files) -> tuple[ProofRecord, ...]:
    """The proofs that are there, prove before verify.

    Raises:
        BundleError: a part of a proof is missing, or parts of two proofs were mixed.
    """
    proofs = []
    if any(name in files for name in _PROOF_PARTS.values()):
        proofs.append(_read_prove(files))
    if VERIFY in files:
        proofs.append(_expect_stage(_load(ProofRecord, files, VERIFY), "verify"))
    return tuple(proofs)


def _read_prove(files: Files) -> ProofRecord:
    whole: dict[str, object] = {}
    for name in _PROOF_PARTS.values():
        part = read_json(files[name], source=name) if name in files else None
        if not isinstance(part, dict) or any(whole.get(key, part[key]) != part[key] for key in part):
            raise BundleError(f"{name} is missing, or belongs to another proof", hint=_HINT)
        whole |= part
    return _expect_stage(decode(ProofRecord, canonical_json(whole), "art-04-proof"), "prove")


def _expect_stage(proof: ProofRecord, stage: str) -> ProofRecord:
    if proof.stage != stage:
        raise BundleError(f"art-04-proof: a proof of stage {proof.stage} where {stage} belongs", hint=_HINT)
    return proof


def profile_file(variant: Literal["baseline", "candidate"], name: str) -> str:
    """Where a profiler's file of one variant goes: `art-02-profile/baseline/cpu.svg`."""
    return check_name(f"art-02-profile/{variant}/{name}")


def profile_files(record: ProfileRecord) -> dict[str, bytes]:
    """`profile.json` of one variant."""
    return {profile_file(record.variant, "profile.json"): encode(record)}


def read_profiles(files: Files) -> tuple[ProfileRecord, ...]:
    """The profiles that are there, baseline before candidate. Raises `BundleError`."""
    profiles = []
    for variant in VARIANTS:
        name = profile_file(variant, "profile.json")
        if name in files:
            profiles.append(_load(ProfileRecord, files, name))
            if profiles[-1].variant != variant:
                raise BundleError(f"{name} is the profile of the other variant", hint=_HINT)
    return tuple(profiles)


def difference_files(difference: ProfileDiff) -> dict[str, bytes]:
    """`difference.json`."""
    return {DIFFERENCE: encode(difference)}


# ---- what a complete bundle has -------------------------------------------------------------------------

ALWAYS: tuple[str, ...] = (PLAN, PLAN_SEAL, RUNLOG, VERDICT, EVENTS, REPORT, STATEMENT)
"""Every sealed bundle has these, also one whose run ended early with a refusal."""

_CPU_FILES = ("profile.json", "cpu.folded", "cpu.svg", "hotspots.json")

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "ART-01": (BASELINE_REPORT, BASELINE_TEXT, SAMPLES[Stage.BASELINE]),
    "ART-02": (
        *(profile_file(variant, name) for variant in VARIANTS for name in _CPU_FILES),
        DIFFERENCE,
        DIFFERENCE_FOLDED,
        DIFFERENCE_SVG,
    ),
    "ART-03": (COMPARISON, COMPARISON_TEXT, SAMPLES[Stage.REPROFILE]),
    "ART-04": (*_PROOF_PARTS.values(), VERIFY, PROOF_TEXT),
    "ART-05": (TAIL, TAIL_TEXT),
}
"""The files that answer to each artifact of the doctrine."""

ALLOCATION_FILES: tuple[str, ...] = tuple(
    profile_file(variant, name) for variant in VARIANTS for name in ("memory.json", "memory.html")
)
"""Also part of ART-02 where the lever asks for memray ("allocation profile if memory-relevant")."""


def missing_files(plan: Plan, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """What an artifact lacks: ART id -> missing names; artifacts that are whole are left out."""
    have = set(names)
    missing = {}
    for artifact in ARTIFACTS:
        wanted = REQUIRED[artifact.id]
        if artifact.id == "ART-02" and "memray" in plan.lever.profiles:
            wanted += ALLOCATION_FILES
        missing[artifact.id] = tuple(name for name in wanted if name not in have)
    return {artifact: lacking for artifact, lacking in missing.items() if lacking}


def artifact_of(name: str) -> str | None:
    """The artifact to whose folder a file belongs: `art-05-tail/tail.md` -> ART-05; None for the run's other files."""
    return next((item.id for item in ARTIFACTS if name.startswith(f"{item.id.lower()}-")), None)


def unobtainable_files(plan: Plan) -> frozenset[str]:
    """What this lever's profiles cannot give, because it has command variants or asks for fewer profilers."""
    variants = (plan.lever.variants.baseline, plan.lever.variants.candidate)
    names = {"py-spy": _CPU_FILES[1:], "memray": ("memory.json", "memory.html")}
    blind = {
        profile_file(variant, name)
        for variant, choice in zip(VARIANTS, variants, strict=True)
        for profiler, files in names.items()
        for name in files
        if isinstance(choice, CommandVariant) or profiler not in plan.lever.profiles
    }
    if any(name.endswith("cpu.folded") for name in blind):
        blind |= {DIFFERENCE, DIFFERENCE_FOLDED, DIFFERENCE_SVG}
    return frozenset(blind)


def interrupted_samples(stage: Stage, number: int) -> str:
    """The name under which samples of an interrupted measurement are kept; `number` counts from 1."""
    return SAMPLES[stage].replace("samples.", f"samples-interrupted-{number}.")
