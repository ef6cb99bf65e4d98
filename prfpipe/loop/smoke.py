"""A quick look at a lever folder: do both variants start and answer the same, and do all cases exist?"""

from pathlib import Path
from tempfile import TemporaryDirectory

from prfpipe.lever import Lever
from prfpipe.models import Scenario
from prfpipe.prove import conformance, mutants
from prfpipe.subject.process import Subject, Workload
from prfpipe.subject.variants import VariantName, subject_launch, workload_launch

_VARIANTS: tuple[VariantName, ...] = ("baseline", "candidate")


def answer_once(lever: Lever, scratch: Path, *, timeout: float) -> dict[str, bool]:
    """Answer one operation of each scenario on both variants; whether their canonical results are equal.

    Raises:
        SubjectError: a variant or the workload fails; the message says how.
    """
    return {
        scenario.name: _agree(lever, scenario, scratch / scenario.name, timeout) for scenario in lever.spec.scenarios
    }


def find_traps(lever: Lever, scratch: Path, *, timeout: float) -> dict[str, str]:
    """The name of each mutant and of the case that must catch it; neither is run.

    Raises:
        LeverError: a mutant's case does not exist, or a conformance file is not a case.
        SubjectError: the workload fails.
    """
    with (
        TemporaryDirectory(dir=scratch) as home,
        Workload(workload_launch(lever.spec, lever.root, Path(home), timeout=timeout)) as workload,
    ):
        workload.hello(lever.spec.primary.params)
        traps = mutants.traps(lever.spec, workload.edge_cases(), conformance.load(lever.root))
        workload.ask({"type": "close"}, "closed")
    return {trap.mutant.name: trap.mutant.caught_by for trap in traps}


def _agree(lever: Lever, scenario: Scenario, scratch: Path, timeout: float) -> bool:
    scratch.mkdir(parents=True)
    with Workload(workload_launch(lever.spec, lever.root, scratch, timeout=timeout)) as workload:
        workload.hello(scenario.params)
        workload.stream(0)
        [operation] = workload.next(1)
        answers = [_answer(lever, scenario, name, scratch / name, workload, operation) for name in _VARIANTS]
        workload.ask({"type": "close"}, "closed")
    return answers[0] == answers[1]


def _answer(
    lever: Lever,
    scenario: Scenario,
    variant: VariantName,
    workdir: Path,
    workload: Workload,
    operation: object,
) -> list[str]:
    workdir.mkdir()
    workload.prepare(operation, workdir)
    launch = subject_launch(lever.spec, variant, lever.root, workdir, timeout=workload.launch.timeout)
    with Subject(launch) as subject:
        subject.hello(scenario.params, workdir)
        results = subject.results_of(subject.run([operation]))
        subject.close()
    return workload.digests(results)
