"""What every stage works with: the plan, the run folder, the trees."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from prfpipe import host
from prfpipe.bundle import RunFolder
from prfpipe.digests import derive_seed
from prfpipe.doctrine import Stage
from prfpipe.lever import Lever
from prfpipe.measure import Bench
from prfpipe.models import Arm, LeverSpec, Plan
from prfpipe.progress import Progress
from prfpipe.settings import Settings


@dataclass(frozen=True)
class RunContext:
    """One run. `scratch` holds what is not evidence: trees, working folders, raw profiler output."""

    lever: Lever
    plan: Plan
    folder: RunFolder
    scratch: Path
    settings: Settings
    progress: Progress

    @property
    def spec(self) -> LeverSpec:
        """The lever as the plan froze it."""
        return self.plan.lever

    @property
    def baseline_tree(self) -> Path:
        """The frozen copy of the lever folder. Both trees' paths are equally long: length shifts memory."""
        return self.scratch / "tree-a"

    @property
    def candidate_tree(self) -> Path:
        """The tree that stage implement makes."""
        return self.scratch / "tree-b"

    @property
    def timeout(self) -> float:
        """Longest wait for one answer of a subject, in seconds."""
        return self.settings.subject_timeout_seconds

    def seed(self, stage: Stage) -> int:
        """Each stage draws its operations from its own seed, so that nothing timed has been seen before."""
        return derive_seed(self.plan.seed, f"stage {stage}", 0)

    def work(self, stage: Stage) -> Path:
        """An empty place for a stage's own working files."""
        folder = self.scratch / stage
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def bench(self, stage: Stage, trees: dict[Arm, Path]) -> Bench:
        """A bench on the measuring CPU."""
        cpu = self.plan.host.measuring_cpu
        return Bench(self.spec, trees, self.work(stage), cpu, self.timeout, hidden=self._hidden)

    @property
    def _hidden(self) -> tuple[Path, ...]:
        """Where the seeds of all inputs stand, what other arms do, and who signs."""
        return self.folder.path.parent, self.scratch, self.settings.key_folder, self.settings.chains

    def off_the_bench(self) -> AbstractContextManager[None]:
        """Keep this process, and what it starts without a pin of its own, off the measuring CPU."""
        return host.leave_cpu_free(self.plan.host.measuring_cpu)
