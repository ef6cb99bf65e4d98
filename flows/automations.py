"""What follows an event without a person: measure again, rigorously; tell somebody only what that confirms.

    python -m flows.automations        # makes or renews them on the configured server; `prfpipe up` does it too

An event says with which effort it was found (`prfpipe.effort`). Only what less than rigorous effort has found is looked
at again, so that an automation never answers its own run; only what rigorous effort has found is told.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import CallWebhook, ChangeFlowRunState, RunDeployment
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.exceptions import ObjectNotFound
from pydantic import SecretStr

from flows.names import ARCHIVE_REFUSED, EFFORT_LABEL, GAIN_LOST, GATE_FAILED, HEARTBEAT_SECONDS, TAG
from prfpipe.models import Effort
from prfpipe.settings import load_settings

_FIRST_LOOK = [Effort.QUICK.value, Effort.STANDARD.value]
_SAME_NIGHT = ("store", "tolerance_percent", "accept_noise")
"""What a second look at a night has from the first."""
_WEBHOOK = "prfpipe-webhook"
_CONFIRMED = "prfpipe: what rigorous effort has confirmed is told"
_REFUSED = "prfpipe: an archive that is refused is told"
_STATE = "prefect.flow-run."
_LIVES = {_STATE + "Running", _STATE + "heartbeat"}
_MESSAGE = (
    '{"event": {{ event.event | tojson }}, "subject": {{ event.resource["prefect.resource.name"] | tojson }}, '
    '"host": {{ event.resource["prfpipe.host"] | tojson }}, "run_id": {{ event.payload["run_id"] | tojson }}, '
    '"message": {{ event.payload["message"] | tojson }}}'
)


def _from_event(path: str) -> Mapping[str, Any]:
    """A parameter that the server takes from the event, of the type that it has there."""
    template = f"{{{{ event.{path} | tojson }}}}"
    return {"__prefect_kind": "json", "value": {"__prefect_kind": "jinja", "template": template}}


_HOST = _from_event('resource["prfpipe.host"]')


async def install(webhook: str | None) -> list[str]:
    """Make the automations, or renew those that are there; returns their names.

    Args:
        webhook: where confirmed losses and failures, and refused archives, are posted as JSON; without one nobody is
            told, also where there was one before.
    """
    async with get_client() as client:
        wanted = [await _gate_again(client), await _lever_again(client), crashed(), never_began()]
        if webhook:
            block = await Webhook(url=SecretStr(webhook)).save(_WEBHOOK, overwrite=True)
            wanted += [_tell_confirmed(block), _tell_archive(block)]
        else:
            for name in (_CONFIRMED, _REFUSED):
                await _remove(client, name)
        for automation in wanted:
            await _put(client, automation)
    return [automation.name for automation in wanted]


async def _gate_again(client: PrefectClient) -> AutomationCore:
    deployment = await client.read_deployment_by_name("performance-gates/performance-gates")
    return AutomationCore(
        name="prfpipe: a gate that fails is run again at rigorous effort",
        trigger=_on({GATE_FAILED}, _FIRST_LOOK, "prfpipe.gate.*"),
        actions=[
            RunDeployment(
                source="selected",
                deployment_id=deployment.id,
                parameters={
                    "gate": _from_event('resource["prefect.resource.name"]'),
                    "profile": _from_event('payload["profile"]'),
                    "effort": Effort.RIGOROUS.value,
                    "of_host": _HOST,
                },
            )
        ],
    )


async def _lever_again(client: PrefectClient) -> AutomationCore:
    deployment = await client.read_deployment_by_name("nightly/nightly")
    return AutomationCore(
        name="prfpipe: a gain that seems lost is re-profiled at rigorous effort",
        trigger=_on({GAIN_LOST}, _FIRST_LOOK, "prfpipe.lever.*"),
        actions=[
            RunDeployment(
                source="selected",
                deployment_id=deployment.id,
                parameters={
                    "lever": _from_event('resource["prefect.resource.name"]'),
                    "effort": Effort.RIGOROUS.value,
                    "of_host": _HOST,
                    **{name: _from_event(f'payload["{name}"]') for name in _SAME_NIGHT},
                },
            )
        ],
    )


def _tell_archive(block: UUID) -> AutomationCore:
    """An audit needs no second look: it finds the same again."""
    return AutomationCore(
        name=_REFUSED,
        trigger=_on({ARCHIVE_REFUSED}, None, "prfpipe.store.*"),
        actions=[CallWebhook(block_document_id=block, payload=_MESSAGE)],
    )


def _tell_confirmed(block: UUID) -> AutomationCore:
    return AutomationCore(
        name=_CONFIRMED,
        trigger=_on({GAIN_LOST, GATE_FAILED}, [Effort.RIGOROUS.value], "prfpipe.*"),
        actions=[CallWebhook(block_document_id=block, payload=_MESSAGE)],
    )


def crashed(within: timedelta = timedelta(seconds=3 * HEARTBEAT_SECONDS)) -> AutomationCore:
    """Marks a run of ours Crashed that was not heard of for so long: nobody is left who could tell.

    A worker tells of a process that it has lost; this is for when the worker is gone too.
    """
    return _unheard("prfpipe: a run that is not heard of any more has crashed", _LIVES, within)


def never_began(within: timedelta = timedelta(minutes=15)) -> AutomationCore:
    """The same for a run that a worker has taken and that did not begin; on a busy machine that may take minutes."""
    return _unheard("prfpipe: a run that was taken and did not begin has crashed", {_STATE + "Pending"}, within)


def _unheard(name: str, after: set[str], within: timedelta) -> AutomationCore:
    return AutomationCore(
        name=name,
        trigger=EventTrigger(
            after=after,
            expect=_LIVES | {_STATE + end for end in ("Completed", "Failed", "Cancelled", "Crashed", "TimedOut")},
            match={"prefect.resource.id": "prefect.flow-run.*"},
            match_related={"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{TAG}"},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=within,
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                message=f"Not heard of for {within.total_seconds():.0f} s. Its samples are kept: `resume` goes on.",
            )
        ],
    )


def _on(events: set[str], efforts: list[str] | None, resource: str) -> EventTrigger:
    return EventTrigger(
        expect=events,
        match={"prefect.resource.id": resource, **({EFFORT_LABEL: efforts} if efforts else {})},
        for_each={"prefect.resource.id"},
        posture=Posture.Reactive,
        threshold=1,
        within=timedelta(0),
    )


async def _put(client: PrefectClient, automation: AutomationCore) -> None:
    await _remove(client, automation.name)
    await client.create_automation(automation)


async def _remove(client: PrefectClient, name: str) -> None:
    for found in await client.read_automations_by_name(name):
        try:
            await client.delete_automation(found.id)
        except ObjectNotFound:
            continue


if __name__ == "__main__":
    for _name in asyncio.run(install(load_settings().webhook)):
        print(_name)  # noqa: T201 - what a person who runs this wants to know
