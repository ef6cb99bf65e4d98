"""Folded stacks, hotspots, targets, Amdahl's bound: what a profile says, and what is no profile."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prfpipe.errors import ProfilerError
from prfpipe.profilers import folded
from prfpipe.profilers.frames import BOUNDARY, RUNNER, WARM_UP, Frame, Paths, Stacks, Targets, clean_frame, parse_label
from prfpipe.profilers.hotspots import amdahl, hotspots, summarize, target_samples, top_self, top_total

any_text = st.text(st.characters(codec=None), max_size=30)
frames = st.builds(clean_frame, any_text, any_text)
few_frames = st.sampled_from([Frame(name, file) for name in "abc" for file in ("x.py", "y.py")])
profiles = st.dictionaries(
    st.lists(frames | few_frames, min_size=1, max_size=6).map(tuple),
    st.integers(1, 10_000),
    min_size=1,
    max_size=20,
)


def stacks(text: str) -> Stacks:
    return folded.parse(text.encode(), source="test")


def refused(data: bytes) -> str:
    with pytest.raises(ProfilerError) as caught:
        folded.parse(data, source="cpu.folded")
    assert caught.value.hint
    return caught.value.message


# ---- parsing ----


@given(profiles)
def test_what_is_rendered_is_parsed_back(profile: Stacks) -> None:
    assert folded.parse(folded.render(profile), source="test") == profile


@given(st.binary(max_size=200))
def test_any_bytes_are_stacks_or_an_error(data: bytes) -> None:
    try:
        found = folded.parse(data, source="test")
    except ProfilerError:
        return
    assert all(stack and count > 0 for stack, count in found.items())
    assert all(frame.label.isprintable() for stack in found for frame in stack)


def test_equal_profiles_are_equal_bytes() -> None:
    assert folded.render(stacks("a;b 2\na 1\n")) == folded.render(stacks("a 1\na;b 1\na;b 1\n")) == b"a 1\na;b 2\n"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"a;b 12", "cut"),
        (b"a;b\n", "not a stack and a count"),
        (b"a;b -3\n", "not a stack and a count"),
        (b"a;b 0\n", "not a stack and a count"),
        (b"a;b 1.5\n", "not a stack and a count"),
        (b"a;b 9999999999999999\n", "not a stack and a count"),
        ("a;b ٣\n".encode(), "not a stack and a count"),
        (b"a 1\n\nb 2\n", "not a stack and a count"),
        (b"<svg onload=alert(1)>\n", "not a stack and a count"),
    ],
)
def test_what_is_no_profile_is_refused(data: bytes, reason: str) -> None:
    assert reason in refused(data)


def test_a_refusal_shows_no_control_characters() -> None:
    assert "\x1b" not in refused(b"\x1b[2J;boom\n")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProfilerError, match="left no output"):
        folded.read(tmp_path / "cpu.folded")


def test_an_enormous_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "cpu.folded"
    with path.open("wb") as stream:
        stream.truncate(folded.MAX_BYTES + 1)
    with pytest.raises(ProfilerError, match="at most"):
        folded.read(path)


def test_a_thread_without_python_frames_is_one_unknown_frame() -> None:
    assert stacks(" 3\n") == {(Frame("<unknown>", ""),): 3}


# ---- names ----


@given(any_text, any_text)
def test_a_clean_frame_is_printable_bounded_and_reads_back(function: str, file: str) -> None:
    frame = clean_frame(function, file)
    assert parse_label(frame.label) == frame
    assert frame.label.isprintable()
    assert ";" not in frame.label
    assert clean_frame(*frame) == frame


def test_terminal_escapes_newlines_and_direction_overrides_are_replaced() -> None:
    assert clean_frame("a\x1b[31mb\nc\u202ed", "x;y\x00.py") == Frame("a�[31mb�c�d", "x,y�.py")


def test_very_long_names_are_cut_where_they_say_least() -> None:
    frame = clean_frame("f" * 5000, "d/" * 5000 + "end.py")
    assert (len(frame.function), len(frame.file)) == (200, 200)
    assert frame.file.endswith("/end.py")


@pytest.mark.parametrize(
    ("path", "short"),
    [
        ("{tree}/analyser.py", "analyser.py"),
        ("{tree}/inner/x.py", "inner/x.py"),
        ("{tree}-other/secret/x.py", "x.py"),
        ("/home/ann/venv/lib/python3.12/site-packages/numpy/core.py", "<site-packages>/numpy/core.py"),
        ("/usr/lib/python3/dist-packages/yaml/__init__.py", "<site-packages>/yaml/__init__.py"),
        ("/home/ann/.pyenv/versions/3.13.1/lib/python3.13t/json/decoder.py", "<stdlib>/json/decoder.py"),
        ("/home/ann/work/x.py", "x.py"),
        ("~/x.py", "x.py"),
        ("<frozen posixpath>", "<frozen posixpath>"),
        ("<string>", "<string>"),
    ],
)
def test_paths_are_short_and_name_no_home(tmp_path: Path, path: str, short: str) -> None:
    assert Paths(tmp_path).short(path.format(tree=tmp_path)) == short


def test_a_tree_behind_a_link_is_recognized_by_either_name(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    paths = Paths(tmp_path / "link")
    assert {paths.short(f"{tmp_path}/{name}/a.py") for name in ("real", "link")} == {"a.py"}


# ---- only operations ----


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="no comprehension has a frame of its own")
def test_only_what_runs_below_the_timed_block_counts(tmp_path: Path) -> None:
    block = f"<module> ({RUNNER});main ({RUNNER});timed_block ({RUNNER})"
    text = (
        f"<module> ({RUNNER});main ({RUNNER});loads (/usr/lib/python3.11/json/__init__.py) 900\n"
        f"{block} 50\n"
        f"{block};timed_block.<locals>.<listcomp> ({RUNNER}) 60\n"
        f"{block};timed_block.<locals>.<listcomp> ({RUNNER});Subject.operate ({tmp_path}/a.py) 5\n"
        f"{block};Subject.operate ({tmp_path}/a.py) 2\n"
    )
    found = folded.operations_only(folded.parse(text.encode(), source="test", short=Paths(tmp_path).short))
    assert found == {(Frame("Subject.operate", "a.py"),): 7}


def test_the_warm_up_does_not_count() -> None:
    operate = Frame("Subject.operate", "a.py")
    cold = (Frame("main", BOUNDARY.file), WARM_UP, BOUNDARY, operate)
    assert folded.operations_only({cold: 900, (BOUNDARY, operate): 3}) == {(operate,): 3}


@pytest.mark.parametrize("name", [BOUNDARY.file, RUNNER], ids=["short", "whole"])
def test_work_under_the_runners_own_names_is_not_hidden(tmp_path: Path, name: str) -> None:
    """`compile` takes any file name, and a function may have any."""
    block = f"main ({RUNNER});timed_block ({RUNNER})" + f";<listcomp> ({RUNNER})" * (sys.version_info < (3, 12))
    text = f"{block};operate ({name});warm_up ({name});work (a.py) 9\n{block};operate ({name}) 5\n"
    found = folded.operations_only(folded.parse(text.encode(), source="test", short=Paths(tmp_path).short))
    assert sum(found.values()) == 14


def test_a_function_of_the_lever_cannot_pose_as_the_timed_block() -> None:
    posing = {(Frame("timed_block", "a.py"), Frame("f", "a.py")): 9, (BOUNDARY, Frame("g", "a.py")): 1}
    assert folded.operations_only(posing) == {(Frame("g", "a.py"),): 1}


# ---- hotspots ----


@given(profiles)
def test_self_shares_are_everything_and_never_above_totals(profile: Stacks) -> None:
    found = hotspots(profile)
    assert sum(hotspot.self_percent for hotspot in found) == pytest.approx(100, abs=0.01)
    assert all(hotspot.self_percent <= hotspot.total_percent <= 100 for hotspot in found)
    assert len({(hotspot.function, hotspot.file) for hotspot in found}) == len(found)


def test_recursion_counts_once_in_the_total() -> None:
    (top, other) = hotspots(stacks("f;f;f 60\nf;g;f 20\ng 20\n"))
    assert (top.function, top.self_percent, top.total_percent) == ("f", 80, 80)
    assert (other.function, other.self_percent, other.total_percent) == ("g", 20, 40)


def test_top_ten_by_self_and_by_total_are_both_kept() -> None:
    callers = ";".join(f"caller{at}" for at in range(12))
    profile = summarize(
        stacks("".join(f"{callers};leaf{at} {10 + at}\n" for at in range(15))), errors=0, targets=Targets(())
    )
    assert [hotspot.function for hotspot in top_self(profile.hotspots)] == [f"leaf{at}" for at in range(14, 4, -1)]
    assert {hotspot.function for hotspot in top_total(profile.hotspots)} == {f"caller{at}" for at in range(12)} - {
        "caller8",
        "caller9",
    }


# ---- targets ----


@pytest.mark.parametrize(
    ("entry", "matches"),
    [
        ("a.py", True),
        ("a.py:Subject.operate", True),
        ("a.py:operate", True),
        ("a.py:Subject", False),
        ("a.py:rate", False),
        ("b.py:operate", False),
        ("sub/", False),
    ],
)
def test_targets_name_a_file_or_a_function_in_it(entry: str, matches: bool) -> None:
    assert Targets((entry,)).match(Frame("Subject.operate", "a.py")) is matches


def test_targets_reach_inner_functions_folders_and_libraries() -> None:
    assert Targets(("a.py:f",)).match(Frame("f.<locals>.<lambda>", "a.py"))
    assert Targets(("sub/",)).match(Frame("f", "sub/deep/x.py"))
    assert Targets(("json/decoder.py",)).match(Frame("decode", "<stdlib>/json/decoder.py"))
    assert Targets(("new.py:f",)).match(Frame("f", "old.py → new.py"))


def test_a_target_that_calls_itself_or_another_target_counts_once() -> None:
    found = stacks("f (a.py);g (a.py);f (a.py) 30\ng (a.py) 5\nh (a.py) 65\n")
    assert target_samples(found, Targets(("a.py:f", "a.py:g"))) == 35


@pytest.mark.parametrize(("inside", "bound"), [(0, 1.0), (50, 2.0), (90, 10.0), (99, 100.0), (100, None)])
def test_amdahls_bound(inside: int, bound: float | None) -> None:
    assert amdahl(inside, 100) == bound


# ---- validity ----


def test_a_profile_says_where_the_time_goes() -> None:
    found = summarize(stacks("op;hot (a.py) 150\nop;other (b.py) 50\n"), errors=2, targets=Targets(("a.py",)))
    assert (found.samples, found.errors, found.target_percent, found.amdahl_speedup) == (200, 2, 75, 4)
    assert found.hotspots[0].function == "hot"


@pytest.mark.parametrize(
    ("text", "errors", "reason"),
    [
        ("a;b 99\n", 0, "99 samples"),
        ("a;b 1000\n", 60, "60 sampling errors"),
        ("a;b 100\na;<unknown> 26\n", 0, "without a name"),
        ("?;b 100\n", 0, "without a name"),
    ],
)
def test_a_profile_that_says_too_little_is_invalid(text: str, errors: int, reason: str) -> None:
    with pytest.raises(ProfilerError, match=f"invalid profile.*{reason}"):
        summarize(stacks(text), errors=errors, targets=Targets(()))


def test_no_samples_inside_operations_is_an_invalid_profile() -> None:
    with pytest.raises(ProfilerError, match="0 samples"):
        summarize({}, errors=0, targets=Targets(()))
