"""`prfpipe doctrine`."""

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime

from prfpipe.artifacts.names import clean
from prfpipe.artifacts.tables import text_table
from prfpipe.cli.output import print_json, print_text
from prfpipe.compliance import Compliance
from prfpipe.errors import SettingsError
from prfpipe.runlog import utc_now


def command(arguments: argparse.Namespace) -> int:
    """Check the project, a bundle or an archive; exit code 1 if anything is missing."""
    found = _check(arguments)
    if arguments.json:
        print_json(found.model_dump(mode="json"))
    else:
        print_text(text(found))
    return 0 if found.compliant else 1


def _check(arguments: argparse.Namespace) -> Compliance:
    if arguments.bundle is not None:
        return _check_bundle(arguments)
    if arguments.store:
        raise SettingsError("--store is where a run id is looked up", hint="Give a run id as well, or use --archive.")
    return _check_project(arguments.archive)


def _check_bundle(arguments: argparse.Namespace) -> Compliance:
    from prfpipe.attest.trust import load_trust
    from prfpipe.cli.stores import bundle_folder
    from prfpipe.compliance.bundle import check_bundle
    from prfpipe.settings import load_settings

    trust = load_trust(load_settings().key_folder)
    with bundle_folder(arguments) as folder:
        return check_bundle(folder, arguments.bundle, time=utc_now(), trust=trust)


def _check_project(archive: str | None) -> Compliance:
    from prfpipe.attest.trust import load_trust
    from prfpipe.compliance.archive import check_archive
    from prfpipe.compliance.project import Project, check_project
    from prfpipe.progress import Terminal
    from prfpipe.settings import load_settings
    from prfpipe.store import open_store

    settings = load_settings()
    project = Project(settings.gates, settings.levers, datetime.now(UTC).date())
    if archive is None:
        return check_project(project, time=utc_now())
    trust = load_trust(settings.key_folder)
    return check_archive(open_store(archive), project, time=utc_now(), progress=Terminal(), trust=trust)


def text(found: Compliance) -> str:
    """The invariants, what they were checked on, the owners' table, notes, and the events last."""
    return "\n\n".join("\n".join(part) for part in (list(part) for part in _parts(found)) if part)


def _parts(found: Compliance) -> Iterator[Iterator[str]]:
    yield iter([f"doctrine: {found.scope} {_line(found.target)}"])
    yield (f"{'ok  ' if item.holds else 'FAIL'}  {item.id}: {_line(item.detail)}" for item in found.invariants)
    yield _bundles(found)
    yield _owners(found)
    yield (f"note  {_line(note)}" for note in found.notes)
    yield (f"{event.code} {event.level}: {_whose(event.run_id)}{_line(event.message)}" for event in found.events)


def _line(text: str) -> str:
    """A text of a gate or a bundle as one line: more of them could look like what is said here."""
    return clean(text, 1900)


def _whose(run_id: str | None) -> str:
    return f"{run_id}: " if run_id else ""


def _bundles(found: Compliance) -> Iterator[str]:
    rows = [[item.lever or "–", item.run_id or "–", item.verdict or "refused", item.claim or "–"]
            for item in found.bundles]  # fmt: skip
    if rows:
        yield text_table(["lever", "run", "verdict", "claim"], rows, text_columns=4)


def _owners(found: Compliance) -> Iterator[str]:
    rows = [[item.subsystem, item.track, ", ".join(item.concerns), ", ".join(item.places)] for item in found.owners]
    if rows:
        yield text_table(["subsystem", "owner track", "concern", "implemented in"], rows, text_columns=4)
