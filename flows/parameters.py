"""What a form may ask for, and nothing else: names that the worker's own settings give a meaning.

Who may start a run may choose among the worker's levers and stores; no parameter is a path, a command or a URL, so
that a form cannot point a worker at other code or send evidence elsewhere. Forms list what the machine has that
deploys; what counts is what the worker has when it runs.
"""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field

from prfpipe import host
from prfpipe.errors import HostError, LeverError, PrfpipeError, SettingsError
from prfpipe.lever import Lever, list_levers
from prfpipe.settings import Settings, load_settings

DEFAULT_STORE = "default"


def _offered(names: Callable[[Settings], list[str]]) -> dict[str, Any]:
    """A dropdown of what this machine has; any name where its settings or its levers cannot be read."""
    try:
        found = names(load_settings())
    except PrfpipeError:
        return {}
    return {"enum": found} if found else {}


LeverId = Annotated[
    str,
    Field(
        pattern=r"^[A-Z][A-Z0-9]*(-[A-Z0-9]+)*$",
        max_length=40,
        json_schema_extra=_offered(lambda settings: [lever.spec.id for lever in list_levers(settings.levers)]),
    ),
]
StoreName = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,39}$",
        json_schema_extra=_offered(lambda settings: [DEFAULT_STORE, *sorted(settings.stores)]),
    ),
]

HostName = Annotated[str, Field(max_length=255)]


def require_host(of_host: str | None) -> None:
    """Refuse to answer on one host what was asked of another; a second look has to be taken where the first one was.

    Raises:
        HostError: this is not that host.
    """
    if of_host not in (None, host.name()):
        raise HostError(
            f"this is {host.name()}: what was found on {of_host} can only be confirmed there",
            hint="Let the deployment's queue have workers of that host only (docs/many-hosts.md), or run it there.",
        )


def worker_settings(store: str) -> Settings:
    """The worker's settings, with the store of that name.

    Raises:
        SettingsError: the worker has no store of that name.
    """
    settings = load_settings()
    if store == DEFAULT_STORE:
        return settings
    if store not in settings.stores:
        raise SettingsError(
            f"this worker has no store {store!r}: it has {', '.join([DEFAULT_STORE, *sorted(settings.stores)])}",
            hint='PRFPIPE_STORES names them: {"team": "s3://bucket/prefix"}.',
        )
    return settings.model_copy(update={"store": settings.stores[store]})


def lever_of(identity: str, settings: Settings) -> Lever:
    """By id only, while `find_lever` would also take a folder of that name.

    Raises:
        LeverError: the worker has no such lever.
    """
    for lever in list_levers(settings.levers):
        if lever.spec.id == identity:
            return lever
    raise LeverError(f"no lever {identity} in {settings.levers}", hint="`prfpipe levers` lists those that there are.")
