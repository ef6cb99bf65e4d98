"""The report: self-contained, honest about what is missing, readable by people, programs and screen readers."""

import base64
import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from prfpipe.artifacts.evidence import Evidence, scenario_samples
from prfpipe.artifacts.plots.effect import forest
from prfpipe.artifacts.plots.latency import ecdf, ranges, tail
from prfpipe.artifacts.plots.pairs import paired
from prfpipe.artifacts.plots.points import MAX_CURVE, curve_ranks, quantile_of, thin
from prfpipe.artifacts.report import MAX_FLAMEGRAPH_BYTES, report
from prfpipe.models import ARMS, Reason
from tests.support import records

FEW = {"incremental-1000": 7.4, "full-10": 1.0}
VOID = {"meta", "img", "source", "br", "link", "input"}


class Page(HTMLParser):
    """Every start tag with its attributes, the text, and whether all tags close in order."""

    def __init__(self, html: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html.decode())
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def meta(self, name: str) -> str | None:
        return next(item["content"] for item in self.all("meta") if item.get("name") == name)


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return records.evidence(speedups=FEW)


@pytest.fixture(scope="module")
def html(evidence: Evidence) -> bytes:
    return report(evidence)


@pytest.fixture(scope="module")
def page(html: bytes) -> Page:
    return Page(html)


def images(page: Page) -> list[bytes]:
    sources = [item["src"] or "" for item in page.all("img")]
    return [base64.b64decode(source.partition("base64,")[2]) for source in sources]


# ---- what it says ---------------------------------------------------------------------------------------


def test_programs_find_verdict_and_digest(page: Page, evidence: Evidence) -> None:
    assert page.meta("prfpipe-verdict") == "adopt"
    assert page.meta("prfpipe-claim") == "met"
    assert page.meta("prfpipe-verdict-sha256") == evidence.verdict_sha256


@pytest.mark.parametrize("word", ["adopt", "reject", "undecided"])
def test_the_verdict_comes_first_as_a_word(word: str) -> None:
    verdict = records.evidence(word, "undecided", FEW)
    text = re.sub(r"\s+", " ", Page(report(verdict)).text.split("Skip to the reasons")[1])
    assert text.index(word.capitalize()) < 120


def test_every_part_is_there(page: Page) -> None:
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    linked = {(item["href"] or "")[1:] for item in page.all("a") if (item["href"] or "").startswith("#")}
    assert linked <= ids
    for text in (
        "expected 5–10×", "A/A control", "Where the saved time was", "analyse_module", "Amdahl",
        "Oracle self-test", "trusts_mtime", "off by one", "prfpipe audit bundle", "git checkout", "AMD EPYC 7B13",
        "facts = [self.cache.get(path)", "Peak RSS", "Cold start",
    ):  # fmt: skip
        assert text in page.text, text


def test_the_diff_keeps_its_indentation(page: Page) -> None:
    assert "     def operate(self, operation):" in page.text


def test_flamegraphs_are_images_of_the_given_bytes(page: Page, evidence: Evidence) -> None:
    assert set(evidence.flamegraphs.values()) <= set(images(page))


def test_a_flamegraph_too_large_to_embed_is_linked() -> None:
    huge = records.flamegraph() + b"<!--" + b" " * MAX_FLAMEGRAPH_BYTES + b"-->"
    html = report(records.evidence(speedups=FEW, flamegraphs={"baseline": huge}))
    assert len(html) < MAX_FLAMEGRAPH_BYTES
    assert b"Too large for this page" in html
    assert b'href="art-02-profile/baseline/cpu.svg"' in html


def test_a_run_that_ended_early_says_what_is_missing() -> None:
    plan = records.plan()
    reasons = (Reason(code="edge-case", message="edge case mtime restored differs"),)
    verdict = records.verdict(
        plan, records.samples({}), "reject", "undecided", scenarios=(), guards=(), reasons=reasons
    )
    text = Page(report(Evidence(plan, verdict, "0" * 64))).text
    assert "Edge case mtime restored differs." in text
    for missing in ("before the variants were compared", "before the prove stage", "before the implement stage"):
        assert missing in text


def test_a_verdict_without_profiles_verify_and_patch_still_reads(evidence: Evidence) -> None:
    bare = records.evidence(speedups=FEW, profiles=(), diff=None, verify=None, patch=b"", flamegraphs={})
    assert "before the verify stage" in Page(report(bare)).text


def test_profiles_that_could_not_see_into_the_subject_say_so() -> None:
    blind = records.profile("baseline", cpu=None, allocations=None, operations=0, notes=("a command",))
    text = Page(report(records.evidence(speedups=FEW, profiles=(blind,), diff=None))).text
    assert "No CPU profile of this variant" in text
    assert "a command" in text


def test_two_invocations_give_a_report_without_bounds() -> None:
    text = Page(report(records.evidence(speedups={"only-10": 2.0}, invocations=2, operations=3))).text
    assert "[–, –]" in text
    assert "n too small" in text


@pytest.mark.parametrize("end", ["\f", "\v", "\r", "\x1c", "\u2028"])
def test_what_looks_like_the_end_of_a_line_hides_nothing_of_a_patch(end: str) -> None:
    patch = f"+# {end * 500}\n+the change\n".encode()
    text = Page(report(records.evidence(speedups=FEW, patch=patch))).text
    assert "+the change" in text
    assert "Diff, 2 lines" in text


def test_a_long_patch_is_cut_and_linked() -> None:
    patch = b"".join(b"+line %d\n" % index for index in range(900))
    text = Page(report(records.evidence(speedups=FEW, patch=patch))).text
    assert "500 more lines" in text
    assert "line 899" not in text


# ---- what it may not do ---------------------------------------------------------------------------------


def test_nothing_runs_and_nothing_is_loaded(page: Page) -> None:
    assert {"script", "link", "iframe", "object", "embed", "form", "base"}.isdisjoint(tag for tag, _ in page.tags)
    policy = next(item["content"] for item in page.all("meta") if "http-equiv" in item)
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    for _, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "srcset"):
            assert (attributes.get(name) or "data:").startswith("data:image/svg+xml;base64,") or name not in attributes
        assert not re.match(r"[a-z]+:|//", attributes.get("href") or "")


def test_hostile_names_stay_names_everywhere() -> None:
    bad = {records.HOSTILE: 2.0}
    spec = records.lever(bad, title=records.HOSTILE, claim=records.HOSTILE)
    provenance = records.provenance(command=("x", records.HOSTILE), tools={records.HOSTILE: records.HOSTILE})
    plan = records.plan(spec, host=records.host(name=records.HOSTILE), provenance=provenance)
    spots = records.hotspots((records.HOSTILE, 50.0, 60.0))
    profile = records.profile()
    assert profile.cpu is not None
    html = report(
        records.evidence(
            speedups=bad,
            plan=plan,
            prove=records.proof("prove", edge_cases=(records.case(records.HOSTILE, passed=False, detail="<b>"),)),
            profiles=(profile.model_copy(update={"cpu": profile.cpu.model_copy(update={"hotspots": spots})}),),
            patch=records.HOSTILE.encode(),
        )
    )
    page = Page(html)
    assert "script" not in {tag for tag, _ in page.tags}
    assert not set(html) & {0x00, 0x07, 0x1B}
    assert "\u202e" not in html.decode()
    for svg in images(page):
        assert b"<script" not in svg
        ET.fromstring(svg)


def test_the_same_records_give_the_same_bytes(html: bytes, evidence: Evidence) -> None:
    assert report(evidence) == html


def test_whatever_the_person_configured_for_plots_does_not_show(evidence: Evidence) -> None:
    import matplotlib as mpl

    before = forest(evidence)
    with mpl.rc_context({"font.size": 40, "svg.fonttype": "path", "axes.facecolor": "red"}):
        assert forest(evidence) == before


def test_the_page_stays_small_however_much_was_measured() -> None:
    many = {f"scenario-{index}-1000": 1.0 + index for index in range(12)}
    evidence = records.evidence(speedups=many, invocations=12, operations=600)
    assert len(report(evidence)) < 1_200_000


# ---- people ---------------------------------------------------------------------------------------------


def test_screen_readers_find_words_for_every_picture_and_heads_for_every_table(page: Page) -> None:
    assert all((item.get("alt") or "").strip() for item in page.all("img"))
    assert all(item.get("scope") in {"col", "row"} for item in page.all("th"))
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("h1")) == 1


def test_the_page_follows_the_reader_in_theme_width_and_print(html: bytes) -> None:
    assert b"prefers-color-scheme:dark" in html
    assert b"@media print" in html
    assert b"width=device-width" in html


def test_plots_follow_the_theme_unless_asked_to_stay_light(evidence: Evidence) -> None:
    assert b"prefers-color-scheme" in forest(evidence)
    assert b"prefers-color-scheme" not in forest(evidence, theme="light")


# ---- plots ----------------------------------------------------------------------------------------------


def texts(svg: bytes) -> list[str]:
    return ["".join(item.itertext()) for item in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_the_forest_names_every_scenario_the_claim_and_the_control() -> None:
    shown = texts(forest(records.evidence()))
    for name in records.SPEEDUPS:
        assert any(name in text for text in shown), name
    assert {"claim 5–10×", "A/A control (baseline twice)"} <= set(shown)
    assert any("speed-up" in text for text in shown)


def test_a_forest_without_scenarios_is_refused(evidence: Evidence) -> None:
    empty = records.evidence(speedups=FEW, verdict=evidence.verdict.model_copy(update={"scenarios": ()}))
    with pytest.raises(ValueError, match="at least one scenario"):
        forest(empty)


def test_variants_far_apart_have_a_panel_each(evidence: Evidence) -> None:
    far = scenario_samples(evidence.samples, "incremental-1000")
    near = scenario_samples(evidence.samples, "full-10")
    assert far is not None
    assert near is not None
    assert {"latency of the candidate", "latency of the baseline"} <= set(texts(ecdf(far)))
    assert "latency of an operation" in texts(ecdf(near))


def test_the_tail_marks_what_is_certified(evidence: Evidence) -> None:
    samples = scenario_samples(evidence.samples, "full-10")
    assert samples is not None
    assert "certified up to p92" in texts(tail(samples, 0.92))
    assert not any("certified" in text for text in texts(tail(samples, 0.0)))


@pytest.mark.parametrize("operations", [1, 2, 50])
def test_the_smallest_sample_sets_can_be_drawn(operations: int) -> None:
    tiny = records.samples({"a-10": 1.0}, invocations=1, operations=operations)
    samples = scenario_samples(tiny, "a-10")
    assert samples is not None
    for svg in (ecdf(samples), tail(samples, 0.0), paired(samples)):
        ET.fromstring(svg)


def test_identical_samples_can_be_drawn() -> None:
    tiny = records.samples({"a-10": 1.0}, invocations=2, operations=3)
    one = tiny.invocations[0]
    arms = {arm: one.arms["baseline"].model_copy(update={"samples_ns": (5, 5)}) for arm in ARMS}
    flat = tiny.model_copy(update={"invocations": (one.model_copy(update={"arms": arms}),)})
    samples = scenario_samples(flat, "a-10")
    assert samples is not None
    for svg in (ecdf(samples), tail(samples, 0.5), paired(samples)):
        ET.fromstring(svg)


def test_excluded_invocations_are_not_drawn() -> None:
    tiny = records.samples({"a-10": 1.0}, invocations=1)
    flagged = tuple(item.model_copy(update={"excluded": "pilot"}) for item in tiny.invocations)
    assert scenario_samples(tiny.model_copy(update={"invocations": flagged}), "a-10") is None
    assert ranges(records.evidence(speedups=FEW, samples=tiny)) is None


def test_a_curve_keeps_its_ends_and_few_points_between() -> None:
    ranks = curve_ranks(120_000)
    assert len(ranks) <= MAX_CURVE
    assert ranks == sorted(set(ranks))
    assert ranks[0] == 0
    assert ranks[-3:] == [119_997, 119_998, 119_999]
    assert curve_ranks(5) == [0, 1, 2, 3, 4]


def test_thinning_keeps_the_first_and_the_last() -> None:
    assert thin(range(1000), 5) == [0, 250, 500, 749, 999]
    assert thin([1.0, 2.0], 5) == [1.0, 2.0]


@pytest.mark.parametrize(("share", "value"), [(0.01, 1.0), (0.5, 2.0), (0.75, 3.0), (0.76, 4.0), (1.0, 4.0)])
def test_quantiles_in_plots_are_nearest_rank(share: float, value: float) -> None:
    assert quantile_of([1.0, 2.0, 3.0, 4.0], share) == value
