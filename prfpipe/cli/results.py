"""`prfpipe results`."""

import argparse
from collections.abc import Iterator

from prfpipe import layout
from prfpipe.artifacts.results import Result, results_markdown, results_text
from prfpipe.attest.trust import Trust, load_trust
from prfpipe.audit import audit_files
from prfpipe.bundle import read_tree
from prfpipe.cli.output import print_json, print_text
from prfpipe.cli.stores import store_of
from prfpipe.errors import NotFoundError, TamperError
from prfpipe.models import Effort
from prfpipe.progress import Terminal
from prfpipe.settings import load_settings
from prfpipe.store.base import Store
from prfpipe.store.evidence import BundleRef, list_bundles
from prfpipe.store.scratch import fetched


def command(arguments: argparse.Namespace) -> int:
    """The newest result of each lever in the store, from bundles that pass their audit."""
    store, effort = store_of(arguments), arguments.effort and Effort(arguments.effort)
    trust = load_trust(load_settings().key_folder)
    results = list(_newest(store, arguments.lever, effort, trust))
    if not results:
        wanted = " ".join(word for word in (arguments.effort, arguments.lever) if word)
        raise NotFoundError(f"{store.url()} has no {wanted + ' ' if wanted else ''}bundle", hint=_HINT)
    if arguments.json:
        print_json([_document(result) for result in results])
    else:
        print_text(results_markdown(results) if arguments.markdown else results_text(results))
    return 0


_HINT = "`prfpipe bundles` lists what is there; `prfpipe evaluate all` makes one for each lever."


def _newest(store: Store, lever: str | None, effort: Effort | None, trust: Trust) -> Iterator[Result]:
    """Of each lever, by id, the newest bundle that was made with that effort."""
    by_lever: dict[str, list[BundleRef]] = {}
    for ref in list_bundles(store, lever):
        by_lever.setdefault(ref.lever, []).append(ref)
    progress = Terminal()
    for name in sorted(by_lever):
        progress.say(f"audit: {name.upper()}")
        for ref in reversed(by_lever[name]):
            result = _result(store, ref, trust)
            if effort in (None, result.plan.effort):
                yield result
                break
    progress.finish()


def _result(store: Store, ref: BundleRef, trust: Trust) -> Result:
    """What a bundle says, after its audit.

    Raises:
        TamperError: the bundle does not pass its audit.
    """
    with fetched(store, ref) as folder:
        files = read_tree(folder)
    try:
        audit_files(files, trust).require()
    except TamperError as error:
        raise TamperError(f"{ref.run_id}: {error.message}", hint=error.hint) from error
    return Result(layout.read_plan(files), layout.read_verdict(files))


def _document(result: Result) -> dict[str, object]:
    plan, verdict = result.plan, result.verdict
    return {
        "lever": plan.lever.id,
        "run_id": plan.run_id,
        "effort": plan.effort.value,
        "timestamp": plan.provenance.created_at,
        "git_commit": plan.provenance.git_commit,
        "expected_speedup": plan.lever.expected_speedup,
        "verdict": verdict.verdict,
        "claim": verdict.claim,
        "scenarios": {item.scenario: item.speedup.model_dump() for item in verdict.scenarios},
    }
