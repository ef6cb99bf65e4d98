"""What the suite for lever folders works with: their proofs, made once, and the parts of their README."""

import fcntl
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from prfpipe.lever import Lever
from prfpipe.models import Effort, ProofRecord, Scenario
from prfpipe.prove import prove
from prfpipe.subject.process import Workload
from prfpipe.subject.variants import workload_launch

ROOT = Path(__file__).parents[2]
TIMEOUT = 60.0


def quick_scenarios(lever: Lever) -> tuple[Scenario, ...]:
    """What the loop proves at quick effort."""
    return tuple(item for item in lever.spec.scenarios if item.primary or item.from_effort is Effort.QUICK)


def proof_of(lever: Lever, shared: Path) -> ProofRecord:
    """The lever's proof as stage prove makes it, kept in `shared`, so that two workers do not both make it."""
    kept = shared / f"{lever.root.name}.proof.json"
    with (shared / f"{lever.root.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            kept.write_text(_prove(lever).model_dump_json())
    return ProofRecord.model_validate_json(kept.read_text())


def _prove(lever: Lever) -> ProofRecord:
    with TemporaryDirectory() as scratch:
        return prove(
            lever.spec.model_copy(update={"scenarios": quick_scenarios(lever)}),
            lever.root,
            Path(scratch),
            stage="prove",
            seed=3,
            timeout=TIMEOUT,
            budget_seconds=0.0,
            with_coverage=True,
            progress=lambda text: None,
        )


def streams(lever: Lever, scenario: Scenario, seeds: Sequence[int], count: int, hash_seed: str) -> list[list[object]]:
    """The first `count` operations of the stream of each seed, all from one fresh workload process."""
    found = []
    with TemporaryDirectory() as home:
        launch = workload_launch(lever.spec, lever.root, Path(home), timeout=TIMEOUT)
        launch = replace(launch, environment={**launch.environment, "PYTHONHASHSEED": hash_seed})
        with Workload(launch) as workload:
            workload.hello(scenario.params)
            for seed in seeds:
                workload.stream(seed)
                found.append(workload.next(count))
            workload.ask({"type": "close"}, "closed")
    return found


# ---- README.md ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Command:
    """A line of a README's section Run, and the folder that it is meant for."""

    lever: Path
    cwd: Path
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.lever.name}: {shlex.join(self.words)}"


def readme_of(folder: Path) -> str:
    """The text of README.md; nothing where it is missing, which is for a test to say and not for the collection."""
    file = folder / "README.md"
    return file.read_text(encoding="utf-8") if file.exists() else ""


def section(readme: str, heading: str) -> str:
    """The text under the second-level heading that matches `heading`; nothing where there is none."""
    found = re.search(rf"^## {heading}$(.*?)(?=^## |\Z)", readme, re.MULTILINE | re.DOTALL)
    return found.group(1) if found else ""


def table_rows(text: str) -> list[list[str]]:
    """The cells of every row of the tables in `text`, heads and rules left out."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rules = {at for at, line in enumerate(lines) if re.fullmatch(r"[|\s:-]+", line)}
    rows = [line for at, line in enumerate(lines) if at not in rules and at + 1 not in rules]
    return [[cell.strip() for cell in row.strip().strip("|").split("|")] for row in rows]


def commands(folder: Path) -> Iterator[Command]:
    """Every command of the section Run: of the repository's root, or of the folder where the text before says so."""
    text = section(readme_of(folder), "Run")
    cwd = ROOT
    for number, part in enumerate(re.split(r"^```\w*\n", text, flags=re.MULTILINE)):
        if number % 2:
            lines = [shlex.split(line, comments=True) for line in part.splitlines()]
            yield from (Command(folder, cwd, tuple(words)) for words in lines if words)
        elif re.search(r"in this folder", part, re.IGNORECASE):
            cwd = folder
