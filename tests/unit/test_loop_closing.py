"""The end of a run: where its evidence can be read, and what is said when it cannot be archived."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prfpipe import layout
from prfpipe.artifacts.summary import summary_markdown
from prfpipe.digests import sha256_hex
from prfpipe.errors import StoreError
from prfpipe.lever import Lever
from prfpipe.loop import Run, close, closing
from prfpipe.loop.closing import gather, kept_at
from prfpipe.progress import Silent
from prfpipe.store.s3 import S3Store
from tests.support.fault_runs import Home, go_on
from tests.support.sealed import DOWN, no_waiting


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A run that is decided and archived."""
    home = Home(tmp_path_factory.mktemp("home"))
    go_on(home)
    return home


@pytest.fixture
def run(home: Home) -> Iterator[Run]:
    [run_id] = home.planned()
    plan = layout.read_plan({layout.PLAN: (home.runs / run_id / layout.PLAN).read_bytes()})
    with Run.resume(Lever(root=home.root, spec=plan.lever), run_id, home.settings, Silent()) as run:
        yield run


def test_in_a_folder_the_evidence_is_at_its_paths(home: Home, run: Run) -> None:
    kept = kept_at(run.context, str(home.store))
    report = Path(kept.report).read_bytes()
    assert (kept.until, kept.report_sha256) == ("", sha256_hex(report))
    assert Path(kept.statement).parent == Path(kept.bundle)
    assert f"Full report: `{kept.report}`" in summary_markdown(gather(run.context), kept)


def test_in_s3_it_is_behind_links_that_end_and_say_when(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    no_waiting(monkeypatch)
    kept = kept_at(run.context, DOWN)
    assert kept.report.startswith(f"http://127.0.0.1:9/bucket/evidence/v1/lev-01/{run.run_id}/{layout.REPORT}?")
    assert "X-Amz-Expires=604800" in kept.report
    assert f"/{layout.STATEMENT}?" in kept.statement
    assert kept.until.endswith(" UTC")
    assert kept.bundle.startswith("s3://bucket/evidence/v1/lev-01/")
    assert f"]({kept.report})" in summary_markdown(gather(run.context), kept)


def test_without_a_link_it_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> str:
        raise StoreError("no credentials", hint="Log in.")

    no_waiting(monkeypatch)
    monkeypatch.setattr(S3Store, "link", refuse)
    kept = kept_at(run.context, DOWN)
    assert kept.until == ""
    assert kept.report.startswith("s3://bucket/evidence/v1/")


def test_a_run_that_cannot_be_archived_still_says_its_verdict(
    home: Home, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> str:
        raise StoreError("the store says no", hint="Ask for the right to write.")

    monkeypatch.setattr(closing, "archive_sealed", refuse)
    with pytest.raises(StoreError, match="the store says no") as caught:
        close(run, home.settings, time.monotonic())
    decided, report = caught.value.__notes__
    assert decided.startswith("not archived yet, but decided: adopt, claim met. ")
    assert Path(report.removeprefix("report  ")).is_file()
