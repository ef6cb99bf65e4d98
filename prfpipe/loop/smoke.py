"""A quick look at a lever folder: do both variants start and answer the same?"""

from pathlib import Path

from prfpipe.lever import Lever
from prfpipe.models import Scenario
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
