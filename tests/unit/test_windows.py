"""The windows in which a bundle was measured: an overlap that is there is found, one that is not is not."""

from datetime import datetime
from pathlib import Path

import pytest

from prfpipe import layout
from prfpipe.doctrine import Stage
from prfpipe.samples import read_samples
from tests.support import bundles
from tests.support import windows as under_test
from tests.support.windows import Window, overlaps, parallel_ns, windows


def test_a_bundles_windows_are_those_of_its_invocations(tmp_path: Path) -> None:
    bundle = bundles.build(tmp_path, bundles.Parts.of(bundles.plan()))
    found = windows(bundle)
    names = [(bundle / name, stage) for stage, name in layout.SAMPLES.items()]
    recorded = [item for path, stage in names for item in read_samples(path.read_bytes(), "", stage).invocations]
    assert len(found) == len(recorded) > len(layout.SAMPLES)
    starts = sorted(round(datetime.fromisoformat(item.started_at).timestamp() * 1e3) * 10**6 for item in recorded)
    assert [window.start_ns for window in found] == starts
    assert Stage.BASELINE in layout.SAMPLES


def planted(monkeypatch: pytest.MonkeyPatch, *runs: list[tuple[int, int]]) -> list[Path]:
    """Bundles whose windows are these."""
    names = {Path(f"run-{number}"): spans for number, spans in enumerate(runs)}
    found = {path: [Window(start, end, path.name) for start, end in spans] for path, spans in names.items()}
    monkeypatch.setattr(under_test, "windows", found.__getitem__)
    return list(names)


@pytest.mark.parametrize("other", [(5, 6), (0, 4), (3, 9), (9, 12), (0, 99)])
def test_windows_that_share_a_moment_overlap(monkeypatch: pytest.MonkeyPatch, other: tuple[int, int]) -> None:
    [(one, found)] = overlaps(planted(monkeypatch, [(3, 10)], [other]))
    assert {(one.start_ns, one.end_ns), (found.start_ns, found.end_ns)} == {(3, 10), other}


def test_windows_one_after_the_other_do_not_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    assert overlaps(planted(monkeypatch, [(0, 3), (10, 12)], [(3, 10)], [(12, 13)])) == []


def test_windows_of_one_run_are_not_held_against_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    assert overlaps(planted(monkeypatch, [(0, 5), (4, 9)])) == []


def test_hosts_are_parallel_while_two_are_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other, third = planted(monkeypatch, [(0, 2), (8, 10)], [(6, 20)], [(30, 40)])
    assert parallel_ns({"a": [one], "b": [other, third]}) == 4
    assert parallel_ns({"a": [one], "b": [third]}) == 0
