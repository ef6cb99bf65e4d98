"""Flamegraphs and speedscope files: well-formed, escaped, static, bounded, equal for equal profiles."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prfpipe.profilers import folded
from prfpipe.profilers.differential import Difference, align, own_label, scale
from prfpipe.profilers.flamegraph import MAX_BOXES, MAX_ROWS, ROW, WIDTH, differential, flamegraph
from prfpipe.profilers.frames import Frame, Stacks, Targets, clean_frame
from prfpipe.profilers.speedscope import speedscope

GOLDEN = Path(__file__).parents[1] / "golden" / "profiles"
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '<script>alert("1")</script>&\'\x1b[31m]]>'

any_text = st.text(st.characters(codec=None), max_size=20)
profiles = st.dictionaries(
    st.lists(st.builds(clean_frame, any_text, any_text), min_size=1, max_size=5).map(tuple),
    st.integers(1, 1000),
    min_size=1,
    max_size=15,
)


def draw(stacks: Stacks, *targets: str) -> bytes:
    return flamegraph(stacks, title="LEV-01 baseline", subtitle="1000 samples", targets=Targets(targets))


def compare(before: Stacks, after: Stacks, ratio: float = 0.5) -> bytes:
    return differential(scale(before, after, ratio), title="LEV-01", subtitle="time per operation")


def golden_stacks(name: str) -> Stacks:
    return folded.read(GOLDEN / name)


def golden_difference() -> Difference:
    label = own_label("baseline.py", "candidate.py")
    before = align(golden_stacks("baseline.folded"), "baseline.py", label)
    return scale(before, align(golden_stacks("candidate.folded"), "candidate.py", label), 0.4)


def parsed(svg: bytes) -> ET.Element:
    return ET.fromstring(svg)


def rectangles(svg: bytes) -> list[dict[str, str]]:
    return [rect.attrib for rect in parsed(svg).iterfind(f".//{SVG}g/{SVG}rect")]


def titles(svg: bytes) -> list[str]:
    return [title.text or "" for title in parsed(svg).iterfind(f".//{SVG}g/{SVG}title")]


@pytest.mark.parametrize("name", ["baseline.svg", "diff.svg", "diff.folded"])
def test_golden_pictures_stay_what_was_looked_at(name: str, tmp_path: Path) -> None:
    drawn = {
        "baseline.svg": lambda: draw(golden_stacks("baseline.folded"), "baseline.py:analyse"),
        "diff.svg": lambda: differential(golden_difference(), title="LEV-01", subtitle="time per operation"),
        "diff.folded": lambda: golden_difference().folded(),
    }[name]()
    (tmp_path / name).write_bytes(drawn)
    assert drawn == (GOLDEN / name).read_bytes(), f"look at {tmp_path / name}; if it is better, copy it over"


@given(profiles, profiles)
def test_any_profiles_give_well_formed_pictures_inside_their_frame(before: Stacks, after: Stacks) -> None:
    for svg in (draw(before), compare(before, after, 0.1), compare(before, after, 3.0)):
        for rect in rectangles(svg):
            assert float(rect["x"]) >= 0
            assert float(rect["x"]) + float(rect["width"]) <= WIDTH


def test_markup_in_names_and_titles_is_text() -> None:
    frame = clean_frame(HOSTILE, HOSTILE)
    svg = flamegraph({(frame,): 100}, title=HOSTILE, subtitle="<b>", targets=Targets(()))
    assert b"<script" not in svg
    assert b"\x1b" not in svg
    assert titles(svg)[1].startswith(frame.label)


def test_pictures_are_static_and_load_nothing() -> None:
    for svg in (
        draw(golden_stacks("baseline.folded")),
        differential(golden_difference(), title="", subtitle=""),
    ):
        names = {element.tag.removeprefix(SVG) for element in parsed(svg).iter()}
        assert names == {"svg", "g", "rect", "text", "title"}
        assert svg.count(b"http") == svg.count(b'xmlns="http://www.w3.org/2000/svg"') == 1


def test_tooltips_say_the_share_and_the_change() -> None:
    f, g = Frame("f", "a.py"), Frame("g", "a.py")
    assert "g (a.py): 25.00 %, 25 samples" in titles(draw({(f,): 75, (f, g): 25}))
    changed = titles(compare({(f,): 50, (g,): 50}, {(f,): 100}, 0.5))
    assert changed.count("g (a.py): 50.0 % before, 0.0 % after, -50.00 % of the baseline's time") == 1


def test_what_shrank_is_blue_what_grew_is_red_and_what_stayed_is_neither() -> None:
    f, g, h = (Frame(name, "a.py") for name in "fgh")
    svg = compare({(f,): 60, (h,): 40}, {(g,): 60, (h,): 40}, 1.0)
    colours = dict(zip((title.split(" ")[0].strip(":") for title in titles(svg)), rectangles(svg), strict=True))
    red, _, blue = (int(colours["f"]["fill"][at : at + 2], 16) for at in (1, 3, 5))
    assert blue > red
    red, _, blue = (int(colours["g"]["fill"][at : at + 2], 16) for at in (1, 3, 5))
    assert red > blue
    assert colours["h"]["fill"] == colours["all"]["fill"]


def test_both_profiles_are_drawn_on_one_scale() -> None:
    f = Frame("f", "a.py")
    before, _, after, _ = sorted(rectangles(compare({(f,): 9}, {(f,): 9}, 0.25)), key=lambda rect: float(rect["y"]))
    assert float(after["width"]) == pytest.approx(float(before["width"]) / 4, abs=1)


def test_frames_too_narrow_to_see_are_left_out_and_recursion_stays_on_the_page() -> None:
    f, g = Frame("f", "a.py"), Frame("g", "a.py")
    svg = draw({(f,) * 5000: 100_000, (g,): 20})
    assert len(rectangles(svg)) == MAX_ROWS + 1
    assert not any(title.startswith("g ") for title in titles(svg))
    assert float(parsed(svg).attrib["height"]) < (MAX_ROWS + 10) * ROW


def test_a_profile_with_very_many_stacks_stays_small() -> None:
    wide = {tuple(Frame(f"f{at}.{depth}", "a.py") for depth in range(50)): 1 for at in range(500)}
    svg = draw(wide)
    assert len(rectangles(svg)) == MAX_BOXES
    assert len(svg) < 1_500_000


def test_labels_fit_their_boxes() -> None:
    svg = parsed(draw({(clean_frame("long_name_" * 9, "a.py"),): 4, (Frame("g", "a.py"),): 96}))
    texts = [(group.find(f"{SVG}text"), group.find(f"{SVG}rect")) for group in svg.iterfind(f".//{SVG}g")]
    for text, rect in texts:
        assert rect is not None
        assert text is None or len(text.text or "") * 6 < float(rect.attrib["width"])


# ---- speedscope ----


@given(profiles)
def test_a_speedscope_file_holds_every_stack(profile: Stacks) -> None:
    document = json.loads(speedscope(profile, title="LEV-01"))
    (sampled,) = document["profiles"]
    names = [Frame(frame["name"], frame.get("file", "")) for frame in document["shared"]["frames"]]
    found = {
        tuple(names[at] for at in sample): weight
        for sample, weight in zip(sampled["samples"], sampled["weights"], strict=True)
    }
    assert found == profile
    assert sampled["endValue"] == sum(sampled["weights"])
