"""`report.html`: one self-contained page, verdict first. No script, nothing from the network."""

import base64
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from prfpipe import layout
from prfpipe.artifacts import art04, derive, provenance
from prfpipe.artifacts import format as fmt
from prfpipe.artifacts.evidence import Evidence, scenario_samples
from prfpipe.artifacts.names import flat
from prfpipe.artifacts.pictures import pictures

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

# Three flamegraphs of this size in base64, with all plots, keep the page under about 3 MB.
MAX_FLAMEGRAPH_BYTES = 600_000
MAX_PATCH_LINES = 400
MAX_TEXT = 4000
FLAMEGRAPHS = (
    ("baseline", "Before: baseline", layout.profile_file("baseline", "cpu.svg")),
    ("candidate", "After: candidate", layout.profile_file("candidate", "cpu.svg")),
    ("diff", "Differential: where time was saved or added", layout.DIFFERENCE_SVG),
)


@dataclass(frozen=True)
class Flamegraph:
    """`uri` is None where the SVG is too large to embed or was not made; `path` is its name in the bundle."""

    title: str
    path: str
    uri: "Markup | None"
    made: bool


@dataclass(frozen=True)
class PatchLine:
    """A line of the diff and what it is: `add`, `del`, `hunk` or `same`."""

    kind: str
    text: str


def report(evidence: Evidence) -> bytes:
    """The page. What the run did not reach is said to be missing."""
    return render("report.html.j2", _context(evidence))


def render(template: str, context: Mapping[str, object]) -> bytes:
    """A page from one of the templates; every text in it is escaped and shows nothing but itself."""
    return _environment().get_template(template).render(context).encode("utf-8", "replace")


def _context(evidence: Evidence) -> Mapping[str, object]:
    # A line feed ends a line of a diff, and nothing else does: what else moves a reader on must not hide what follows.
    patch = evidence.patch.decode("utf-8", "replace").removesuffix("\n").split("\n") if evidence.patch else []
    return {
        "e": evidence,
        "plan": evidence.plan,
        "lever": evidence.plan.lever,
        "verdict": evidence.verdict,
        "primary": derive.primary(evidence.verdict),
        "why": derive.headline(evidence.verdict),
        "pictures": pictures(evidence),
        "flamegraphs": _flamegraphs(evidence.flamegraphs),
        "patch": [_patch_line(line) for line in patch[:MAX_PATCH_LINES]],
        "patch_cut": max(0, len(patch) - MAX_PATCH_LINES),
        "measured": {
            result.scenario: scenario_samples(evidence.samples, result.scenario)
            for result in evidence.verdict.scenarios
        },
    }


def _flamegraphs(svgs: Mapping[str, bytes]) -> list[Flamegraph]:
    found = []
    for key, title, path in FLAMEGRAPHS:
        data = svgs.get(key)
        fits = data is not None and len(data) <= MAX_FLAMEGRAPH_BYTES
        found.append(Flamegraph(title, path, data_uri(data) if data and fits else None, made=data is not None))
    return found


def data_uri(svg: bytes) -> "Markup":
    """An SVG as an image source: as an image it can neither run scripts nor load anything."""
    from markupsafe import Markup

    return Markup("data:image/svg+xml;base64,") + base64.b64encode(svg).decode()


def _patch_line(line: str) -> PatchLine:
    return PatchLine(_patch_kind(line), flat(line.expandtabs(4), 500))


def _patch_kind(line: str) -> str:
    if line.startswith(("+++", "---", "@@", "diff ")):
        return "hunk"
    return {"+": "add", "-": "del"}.get(line[:1], "same")


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("prfpipe.artifacts"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(_helpers())
    return environment


def _helpers() -> dict[str, object]:
    units = {name: getattr(fmt, name) for name in ("DURATION", "MEMORY", "BYTES", "RATE", "RATIO", "PERCENT", "CHANGE")}
    shows = {name: getattr(fmt, name) for name in fmt.__dict__ if name.startswith("show")}
    shared = (
        derive.rows, derive.certified_line, derive.claim_word, derive.improvement, art04.covered,
        art04.mutant_word, art04.self_test_word, provenance.environment, provenance.commit, provenance.reproduce,
        data_uri,
    )  # fmt: skip
    texts = {"NO_MUTANTS": art04.NO_MUTANTS, "shlex_join": shlex.join}
    return {**units, **shows, **texts, **{function.__name__: function for function in shared}}


def _finalize(value: object) -> object:
    # Exactly str: Markup is made by templates only, and numbers hold no control characters.
    return flat(value, MAX_TEXT) if type(value) is str else value
