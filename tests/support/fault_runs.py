"""Real runs whose stages take no time: what is on the disk is made through the product's doors only.

Journal, run folder, sample files, sealing and archiving are the product's own. Only what measures is replaced,
by stages that record made-up invocations, so that a run takes a fifth of a second and can be killed anywhere.
"""

import gzip
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from prfpipe import layout
from prfpipe.attest.keys import Keys
from prfpipe.attest.trust import Trust
from prfpipe.digests import sha256_hex
from prfpipe.doctrine import Stage
from prfpipe.lever import Lever
from prfpipe.loop import run as loop
from prfpipe.loop.context import RunContext
from prfpipe.models import Effort
from prfpipe.progress import Silent
from prfpipe.runlog import RunLog
from prfpipe.samples import SampleWriter
from prfpipe.settings import Settings
from tests.support import bundles

_START = datetime(2026, 11, 23, 8, 15, tzinfo=UTC)
_PLANNED = b'"stage":"plan","status":"finished"'
_BEGAN = time.monotonic()


def _now() -> str:
    """A clock that hardly moves, so that no run is longer than its made-up samples say."""
    now = _START + timedelta(seconds=(time.monotonic() - _BEGAN) / 100)
    return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Home:
    """Where a run and its store are; `promised` is called with each sample line that `append` promised to keep."""

    root: Path
    promised: Callable[[bytes], object] = bytes

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def store(self) -> Path:
        return self.root / "evidence"

    @property
    def settings(self) -> Settings:
        own = {"runs": self.runs, "chains": self.root / "chains", "key_folder": self.keys, "lock": self.root / "lock"}
        return Settings(**own, store=str(self.store))

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    def trust(self) -> Trust:
        """Trust in the key that was made for the run."""
        return Trust.in_keys(*Keys(self.keys).public_keys().own.values())

    def planned(self) -> list[str]:
        """Run ids whose plan was frozen, so that they can be resumed."""
        logs = self.runs.glob(f"*/{layout.RUNLOG}")
        return sorted(path.parent.name for path in logs if _PLANNED in path.read_bytes())


def go_on(home: Home) -> str:
    """Start a run, or resume the one that has a plan, up to its archived bundle; returns the run id."""
    with _instant_stages(home):
        lever = Lever(root=home.root, spec=bundles.plan().lever)
        if planned := home.planned():
            opened = loop.Run.resume(lever, planned[-1], home.settings, Silent())
        else:
            opened = loop.Run.start(lever, loop.Options(Effort.QUICK, ("prfpipe",)), home.settings, Silent())
        with opened as run:
            run.perform_all()
            run.archive(home.settings.store)
            return run.run_id


@contextmanager
def _instant_stages(home: Home) -> Iterator[None]:
    number = len(list(home.runs.glob("*"))) if home.runs.exists() else 0
    the_plan = bundles.plan(run_id=f"{bundles.RUN_ID[:-8]}{sha256_hex(str(number).encode())[:8]}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "_plan", lambda *_: the_plan)
        patch.setattr(loop, "RunLog", lambda folder, run_id: RunLog(folder, run_id, _now))
        patch.setattr(loop.Run, "_freeze_source", lambda self: None)
        patch.setattr(loop.Run, "_require_same_machine", lambda self: None)  # the plan's machine is made up
        for stage in loop.LOOP:
            patch.setitem(loop.LOOP, stage, _instant(stage))
        _tell_promises(patch, home)
        yield


def _instant(stage: Stage) -> Callable[[RunContext], None]:
    def perform(context: RunContext) -> None:
        bundles.stages(bundles.Parts.of(context.plan))[stage](context.folder)

    return perform


def _tell_promises(patch: pytest.MonkeyPatch, home: Home) -> None:
    append = SampleWriter.append

    def telling(self: SampleWriter, record: bundles.Schedule | bundles.Invocation) -> None:
        append(self, record)
        home.promised(layout.line_of(record))

    patch.setattr(SampleWriter, "append", telling)


def kept_lines(folder: Path) -> set[bytes]:
    """Every sample line of a run, counted or of an interrupted set."""
    found = set[bytes]()
    for path in folder.glob("*/samples*"):
        data = path.read_bytes()
        found.update((gzip.decompress(data) if path.suffix == ".gz" else data).splitlines())
    return found


def tree_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, also what no bundle may hold."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
