"""Where the saved time was: both profiles in percent of the baseline's time."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prfpipe.errors import ProfilerError
from prfpipe.models import ProfileDiff
from prfpipe.profilers.differential import MAX_SAVINGS, align, explain, own_label, scale
from prfpipe.profilers.frames import Frame, Stacks, Targets

F, G, H, LIB = (
    Frame("f", "b.py"),
    Frame("g", "b.py"),
    Frame("h", "other.py"),
    Frame("loads", "<stdlib>/json/x.py"),
)
frames = st.sampled_from([F, G, H, LIB])
profiles = st.dictionaries(
    st.lists(frames, min_size=1, max_size=4).map(tuple), st.integers(1, 500), min_size=1, max_size=10
)


def difference(before: Stacks, after: Stacks, ratio: float, *targets: str) -> ProfileDiff:
    return explain(scale(before, after, ratio), Targets(targets), Targets(("b.py",)))


@given(profiles, profiles, st.floats(0.01, 20))
def test_what_was_saved_is_what_the_clocks_say(before: Stacks, after: Stacks, ratio: float) -> None:
    found = difference(before, after, ratio, "b.py")
    assert found.after_total_percent == pytest.approx(100 * ratio, abs=0.01)
    assert found.saved_percent == pytest.approx(100 - 100 * ratio, abs=0.01)
    for saving in found.savings:
        assert saving.saved_percent == pytest.approx(saving.before_percent - saving.after_percent, abs=0.002)
        assert 0 <= saving.before_percent <= 100.01


@given(profiles)
def test_a_profile_beside_itself_saves_nothing_anywhere(profile: Stacks) -> None:
    found = difference(profile, profile, 1.0, "b.py")
    assert found.saved_percent == found.saved_in_targets_percent == 0
    assert all(saving.saved_percent == 0 for saving in found.savings)


def test_the_saving_is_found_where_it_was() -> None:
    found = difference({(F, G): 80, (F, H): 20}, {(F, G): 10, (F, H): 40}, 0.25, "b.py:g")
    assert [(saving.function, saving.saved_percent) for saving in found.savings] == [
        ("f", 75),
        ("g", 75),
        ("h", 0),
    ]
    assert found.saved_in_targets_percent == 75


def test_a_saving_outside_the_targets_does_not_count_for_them() -> None:
    found = difference({(F, G): 50, (F, H): 50}, {(F, G): 100}, 0.5, "b.py:g")
    assert (found.saved_percent, found.saved_in_targets_percent) == (50, 0)
    assert {saving.function: saving.in_optimized_path for saving in found.savings} == {
        "f": True,
        "h": False,
        "g": True,
    }


def test_what_got_dearer_is_a_negative_saving_at_the_end() -> None:
    found = difference({(F,): 100}, {(F,): 50, (H,): 50}, 1.0)
    assert [(saving.function, saving.saved_percent) for saving in found.savings] == [("f", 50), ("h", -50)]


def test_only_the_largest_changes_are_told() -> None:
    many = {(Frame(f"f{at}", "b.py"),): 1 + at for at in range(50)}
    found = difference(many, {(F,): 1}, 0.1)
    assert len(found.savings) == MAX_SAVINGS
    assert found.savings[0].function == "f49"


def test_functions_meet_although_the_variants_files_and_classes_differ() -> None:
    label = own_label("baseline.py", "candidate.py")
    before = align({(Frame("f", "baseline.py"),): 1}, "baseline.py", label)
    after = align({(Frame("Cache.f", "candidate.py"),): 1}, "candidate.py", label)
    targets = Targets(("baseline.py:Checker.f",)).unqualified()
    (saving,) = explain(scale(before, after, 0.5), targets, Targets(("candidate.py",))).savings
    assert (saving.file, saving.saved_percent) == ("baseline.py → candidate.py", 50)
    assert saving.in_optimized_path


def test_variants_in_one_file_keep_its_name() -> None:
    assert own_label("subject.py", "subject.py") == "subject.py"
    assert align({(F,): 1}, "b.py", "b.py") == {(F,): 1}


def test_folded_differences_have_two_columns_of_normalized_time() -> None:
    found = scale({(F, G): 3, (H,): 1}, {(F, G): 7}, 0.5)
    assert found.folded() == b"f (b.py);g (b.py) 750000000 500000000\nh (other.py) 250000000 0\n"


@pytest.mark.parametrize("ratio", [0.0, -1.0, math.nan, math.inf])
def test_a_ratio_that_is_none_is_refused(ratio: float) -> None:
    with pytest.raises(ProfilerError, match="time ratio"):
        scale({(F,): 1}, {(F,): 1}, ratio)


def test_an_empty_profile_has_no_difference() -> None:
    with pytest.raises(ProfilerError, match="empty profile"):
        scale({(F,): 1}, {}, 1.0)
