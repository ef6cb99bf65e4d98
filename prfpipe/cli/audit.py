"""`prfpipe audit`."""

import argparse

from prfpipe.attest.trust import Trust, load_trust
from prfpipe.audit import AuditReport, audit, unreadable
from prfpipe.cli.audit_text import text
from prfpipe.cli.output import print_json, print_text
from prfpipe.cli.stores import bundle_folder
from prfpipe.errors import IntegrityError, SettingsError, TamperError
from prfpipe.settings import load_settings


def command(arguments: argparse.Namespace) -> int:
    """Audit a bundle on this machine, one that is fetched from the store first, or a whole archive."""
    _check_usage(arguments)
    trust = load_trust(load_settings().key_folder, arguments.trust)
    if arguments.archive:
        from prfpipe.cli.audit_archive import audit_all

        return audit_all(arguments, trust)
    report = _audit(arguments, trust)
    if arguments.json:
        print_json(report.model_dump(mode="json"))
    else:
        print_text(text(report))
    return 0 if report.accepted else 1


def _check_usage(arguments: argparse.Namespace) -> None:
    if arguments.archive == bool(arguments.bundle):
        raise SettingsError("audit takes one bundle, or an archive", hint="Give DIR or RUN_ID, or --archive.")
    if not arguments.archive and (arguments.lever or arguments.since or arguments.seen):
        raise SettingsError("--lever, --since and --seen belong to --archive", hint="Add --archive, or leave them out.")


def _audit(arguments: argparse.Namespace, trust: Trust) -> AuditReport:
    try:
        with bundle_folder(arguments) as folder:
            return audit(folder, trust)
    except (IntegrityError, TamperError) as error:
        # What the store returned is not what the statement lists: that is an answer, not a failure.
        return unreadable(error.message)
