"""The gates PRF-01 to PRF-04 as a Prefect flow: a task a gate.

Nothing is timed across a Prefect call, and nothing is retried: a gate that is repeated until it passes proves
nothing. (An automation may look at a failure once more, as a run of its own and at rigorous effort: `automations.py`.)
Answers of any kind complete the flow with their names; where a gate measured nothing the flow fails.
"""

from collections.abc import Sequence
from typing import Literal

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas import State
from prefect.events import emit_event
from prefect.states import Completed, Failed

from flows.exclusive import turn_on
from flows.names import GATE_FAILED, run_name
from flows.parameters import HostName, require_host
from flows.telling import emit, labels, run_log, tell_failures_in_our_words
from prfpipe import host
from prfpipe.gates.events import events_for
from prfpipe.gates.history import past_runs
from prfpipe.gates.measurement import GateOptions
from prfpipe.gates.several import exit_code, run_gates
from prfpipe.gates.spec import Gate, find_gate
from prfpipe.gates.summary import Ended, headline, markdown_summary
from prfpipe.models import GATE_IDS, DeploymentProfile, Effort, GateReport
from prfpipe.settings import Settings, load_settings

GateChoice = Literal["PRF-01", "PRF-02", "PRF-03", "PRF-04", "all"]

tell_failures_in_our_words()


@flow(name="performance-gates", flow_run_name=run_name("{gate} {profile}"), persist_result=False)
def performance_gates(
    gate: GateChoice = "all",
    profile: DeploymentProfile = DeploymentProfile.DEV_LOCAL,
    effort: Effort = Effort.STANDARD,
    of_host: HostName | None = None,
) -> State[dict[str, str]]:
    """Hold the runtime against the budgets of the doctrine's gates.

    Args:
        gate: one gate, or all four in turn
        profile: whose budgets
        effort: at most 370, 1000 or 2000 samples of each subject
        of_host: fail on any other host, so that a second look is taken where the first one was
    """
    require_host(of_host)
    settings = load_settings()
    # All are loaded before the first is measured: a wrong budget is told now, not after minutes.
    gates = [find_gate(name, settings.gates) for name in (GATE_IDS if gate == "all" else [gate])]
    words = ("prfpipe", "gate", gate, "--profile", profile.value, "--effort", effort.value)
    with turn_on(host.name()):
        ended = [measure(found, profile, GateOptions(effort, words=words), settings) for found in gates]
    publish(ended, effort, settings)
    message = "; ".join(headline(item) for item in ended)
    if exit_code(ended) in {0, 1, 3}:
        return Completed(message=message, data={item.id: getattr(item, "state", "") for item in ended})
    return Failed(message=message)


@task(task_run_name="measure {gate.spec.id}", cache_policy=NO_CACHE, persist_result=False)
def measure(gate: Gate, profile: DeploymentProfile, options: GateOptions, settings: Settings) -> Ended:
    """Measure one gate and decide; what it found is in its folder on the worker."""
    (ended,) = run_gates([gate], profile, options, settings, run_log())
    get_run_logger().info("%s", headline(ended))
    return ended


@task(task_run_name="publish", cache_policy=NO_CACHE, persist_result=False)
def publish(ended: Sequence[Ended], effort: Effort, settings: Settings) -> None:
    """Show the table in the UI, and send the doctrine's events; of a gate that failed also that it did, once."""
    reports = [item for item in ended if isinstance(item, GateReport)]
    parent = settings.gate_reports.resolve()
    earlier = [run for report in reports for run in past_runs(parent, report)]
    create_markdown_artifact(
        key="performance-gates",
        markdown=markdown_summary(ended, earlier),
        description="; ".join(headline(item) for item in ended)[:1000],
    )
    for report in reports:
        for event in events_for(report):
            emit(event, f"prfpipe.gate.{report.id}", report.id, report.host.name, effort)
        if report.state == "fail":
            emit_event(
                event=GATE_FAILED,
                resource=labels(f"prfpipe.gate.{report.id}", report.id, report.host.name, effort),
                payload={"profile": report.profile.value, "run_id": report.run_id, "message": headline(report)},
            )
