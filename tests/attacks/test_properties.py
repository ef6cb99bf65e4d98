"""Whatever is spliced into a bundle, it is refused; whatever mixes two bundles, too."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.fault_audit import audited, refusals

Files = dict[str, bytes]
# The bundles are the same for every example and nothing changes them.
shared = settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def names(sealed: Files) -> list[str]:
    return sorted(sealed)


@shared
@given(data=st.data())
def test_any_splice_of_any_file_is_refused(sealed: Files, names: list[str], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(names))
    old = sealed[name]
    start = data.draw(st.integers(0, len(old)))
    end = data.draw(st.integers(start, min(len(old), start + 200)))
    new = old[:start] + data.draw(st.binary(max_size=50)) + old[end:]
    assert audited({**sealed, name: new}).accepted == (new == old)


@shared
@given(taken=st.sets(st.integers(0, 60)))
def test_two_bundles_mixed_in_any_way_are_refused(pair: tuple[Files, Files], taken: set[int]) -> None:
    mine, other = pair
    chosen = [name for number, name in enumerate(sorted(mine)) if number in taken]
    mixed = {**mine, **{name: other[name] for name in chosen}}
    assert audited(mixed).accepted == (mixed in (mine, other))


@shared
@given(st.dictionaries(st.text(max_size=40), st.binary(max_size=40), max_size=8))
def test_any_files_at_all_are_refused_without_a_traceback(files: dict[str, bytes]) -> None:
    assert refusals(audited(files))


@shared
@given(data=st.data())
def test_any_subset_of_the_files_is_refused(sealed: Files, names: list[str], data: st.DataObject) -> None:
    kept = data.draw(st.sets(st.sampled_from(names)))
    assert audited({name: sealed[name] for name in kept}).accepted == (len(kept) == len(names))
