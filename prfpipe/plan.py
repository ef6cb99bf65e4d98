"""The plan: everything that is fixed before the first measurement."""

import platform
import re
import secrets
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from prfpipe import stats
from prfpipe.digests import sha256_tree
from prfpipe.models import (
    DecisionRule,
    Effort,
    HostFingerprint,
    LeverSpec,
    NoiseProbe,
    Plan,
    Provenance,
    Scenario,
)

# Looks at these shares of the time; few and late ones cost little confidence, early ones end clear cases soon.
LOOK_FRACTIONS = (0.1, 0.2, 0.4, 0.7, 1.0)
LOOK_WEIGHTS = (0.1, 0.1, 0.2, 0.2, 0.4)
MAX_INVOCATIONS = 150
MAX_SAMPLES = 2000
"""Of an arm in an invocation."""
NO_COMMIT = "none"
"""Where a commit belongs and the lever's folder is in no git repository."""
_TOOLS = ("prfpipe", "py-spy", "memray", "coverage", "pydantic", "prefect", "boto3")

# effort: alpha; seconds for the primary scenario and each stratum, the others together, and the baseline stage;
# invocations of the others: from standard on enough for an interval at this alpha (`stats.smallest_n`)
EFFORTS: dict[Effort, tuple[float, float, float, float, int]] = {
    Effort.QUICK: (0.05, 60.0, 10.0, 10.0, 2),
    Effort.STANDARD: (0.01, 90.0, 60.0, 20.0, 8),
    Effort.RIGOROUS: (0.01, 600.0, 240.0, 60.0, 8),
}


def make_plan(
    spec: LeverSpec,
    effort: Effort,
    *,
    source_files: dict[str, str],
    host: HostFingerprint,
    noise: NoiseProbe,
    command: tuple[str, ...],
    folder: Path,
    seed: int | None = None,
) -> Plan:
    """Freeze a plan; without a seed, a fresh one that nobody could know before."""
    now = datetime.now(UTC)
    return Plan(
        run_id=new_run_id(spec.id, now),
        lever=spec,
        effort=effort,
        rule=make_rule(spec, effort),
        seed=secrets.randbits(48) if seed is None else seed,
        source_files=source_files,
        source_digest=sha256_tree(source_files),
        host=host,
        noise=noise,
        provenance=provenance(command, folder, now),
    )


def new_run_id(lever: str, now: datetime) -> str:
    """Sorts by time, names the lever, never repeats."""
    return f"{now:%Y%m%dT%H%M%SZ}-{lever.lower()}-{secrets.token_hex(4)}"


def make_rule(spec: LeverSpec, effort: Effort) -> DecisionRule:
    """The decision rule of an effort for a lever."""
    alpha, seconds, secondary, baseline, invocations = EFFORTS[effort]
    return DecisionRule(
        alpha=alpha,
        look_fractions=LOOK_FRACTIONS,
        look_weights=LOOK_WEIGHTS,
        min_gain_percent=spec.min_gain_percent,
        expected_speedup=spec.expected_speedup,
        guards=spec.guards,
        seconds=seconds,
        secondary_seconds=secondary,
        baseline_seconds=baseline,
        min_invocations=stats.smallest_n(stats.exact(alpha)),
        secondary_invocations=invocations,
        max_invocations=MAX_INVOCATIONS,
        tail_confidence=0.95,
        must_hold=spec.strata,
        non_inferiority_percent=spec.non_inferiority_percent,
    )


def planned_scenarios(plan: Plan) -> tuple[Scenario, ...]:
    """The scenarios that this effort measures, the primary one first; it and the strata are at every effort."""
    effort = plan.effort.rank
    chosen = [item for item in plan.lever.scenarios if item.name in plan.sequential or item.from_effort.rank <= effort]
    return tuple(sorted(chosen, key=lambda item: not item.primary))


def provenance(command: tuple[str, ...], folder: Path, now: datetime) -> Provenance:
    """The commit of the lever folder, tool versions, and the command with secrets taken out."""
    return Provenance(
        git_commit=_git(folder, "rev-parse", "HEAD") or NO_COMMIT,
        git_dirty=bool(_git(folder, "status", "--porcelain", "--", ".")),
        command=words_without_secrets(command),
        created_at=now.isoformat(timespec="milliseconds"),
        tools=tools(),
    )


def tools() -> dict[str, str]:
    """The versions of what measures, by name."""
    return {"python": platform.python_version(), **{name: _version(name) for name in _TOOLS}}


_CREDENTIAL = r"(?:key|secret|token|password)[\w-]*"
_CREDENTIAL_OPTION = re.compile(rf"(?i)--?[\w-]*{_CREDENTIAL}")
_CREDENTIALS = (
    # Up to the last `@` before the options: pasted passwords hold slashes and at signs.
    (re.compile(r"//[^\s?]+@"), "//***@"),
    (re.compile(rf"(?i)({_CREDENTIAL}=)[^&\s]+"), r"\1***"),
    (re.compile(rf"(?i)(\s--?[\w-]*{_CREDENTIAL}\s+)\S+"), r"\1***"),
    (re.compile(rf"(?i)\b((?:authorization|cookie|x-[\w-]*{_CREDENTIAL}):\s*)[^'\"]+"), r"\1***"),
    (re.compile(r"(?i)\b(bearer\s+)[\w.~+/=-]+"), r"\1***"),
)


def without_secrets(text: str) -> str:
    """A text without credentials: in a URL (`//user:password@`, `?key=...`), in a header, after `--password`."""
    for pattern, shown in _CREDENTIALS:
        text = pattern.sub(shown, text)
    return text


def words_without_secrets(words: Sequence[str]) -> tuple[str, ...]:
    """A command line without credentials, also where one is a word of its own behind its option."""
    options = [False, *(_CREDENTIAL_OPTION.fullmatch(word) is not None for word in words)]
    return tuple("***" if behind else without_secrets(word) for behind, word in zip(options, words, strict=False))


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def command_line() -> tuple[str, ...]:
    """The command that started this process, as a person would type it."""
    return (Path(sys.argv[0]).name, *sys.argv[1:])
