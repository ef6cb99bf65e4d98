"""The report's plots with their words: title, caption, and a text for who cannot see them."""

from collections.abc import Iterator
from dataclasses import dataclass

from prfpipe.artifacts import derive
from prfpipe.artifacts import format as fmt
from prfpipe.artifacts.evidence import Evidence, ScenarioSamples, scenario_samples
from prfpipe.artifacts.names import clean
from prfpipe.models import ScenarioResult

_NARROW = 420


@dataclass(frozen=True)
class Picture:
    """A plot; `narrow` is a second rendering for phones, where the wide one would not be legible."""

    key: str
    title: str
    caption: str
    alt: str
    svg: bytes
    narrow: bytes | None = None


def pictures(evidence: Evidence) -> dict[str, Picture]:
    """The plots that the run's samples allow: forest, ecdf, tail, paired, ranges."""
    drawn = [*_forest(evidence), *_distributions(evidence), *_ranges(evidence)]
    return {picture.key: picture for picture in drawn}


def _forest(evidence: Evidence) -> Iterator[Picture]:
    from prfpipe.artifacts.plots.effect import forest

    if not evidence.verdict.scenarios:
        return
    words = [
        f"{clean(result.scenario)} {fmt.show_estimate(result.speedup, fmt.RATIO)}"
        for result in evidence.verdict.scenarios
    ]
    yield Picture(
        "forest",
        title="Speed-up by scenario",
        caption="Squares are estimates, bars their intervals, dots single invocations. Diamonds are the A/A "
        "control: the same code measured against itself, which should sit on 1×.",
        alt=f"Forest plot of speed-ups with intervals: {'; '.join(words)}.",
        svg=forest(evidence),
        narrow=forest(evidence, width=_NARROW),
    )


def _distributions(evidence: Evidence) -> Iterator[Picture]:
    primary = derive.primary(evidence.verdict)
    samples = scenario_samples(evidence.samples, primary.scenario) if primary else None
    if primary and samples:
        yield _ecdf(primary, samples)
        yield _tail(primary, samples)
        yield _paired(primary, samples)


def _ecdf(primary: ScenarioResult, samples: ScenarioSamples) -> Picture:
    from prfpipe.artifacts.plots.latency import ecdf

    return Picture(
        "ecdf",
        title="All latencies",
        caption="The share of operations that took at most so long, up to p99, with marks at p50, p95 and p99. "
        "Variants that are far apart have a panel each, with a scale of its own.",
        alt=f"Cumulative latency of {clean(primary.scenario)}: {_against(primary, 'p50_ns')} at the median.",
        svg=ecdf(samples),
    )


def _tail(primary: ScenarioResult, samples: ScenarioSamples) -> Picture:
    from prfpipe.artifacts.plots.latency import tail

    certified = primary.arms["candidate"].certified
    return Picture(
        "tail",
        title="The tail",
        caption=f"Candidate: {derive.certified_line(certified)}.",
        alt=f"Latency by percentile of {clean(primary.scenario)}: {_against(primary, 'p99_ns')} at p99.",
        svg=tail(samples, certified.quantile),
    )


def _paired(primary: ScenarioResult, samples: ScenarioSamples) -> Picture:
    from prfpipe.artifacts.plots.pairs import paired

    return Picture(
        "paired",
        title="Invocation by invocation",
        caption="Each invocation is a fresh set of processes. Lines that move together below are the "
        "machine's drift, which the paired comparison cancels; lines that move apart are noise.",
        alt=f"Median latency of each of {primary.invocations} invocations of {clean(primary.scenario)}, by "
        "arm, and its distance from that arm's own median.",
        svg=paired(samples),
    )


def _ranges(evidence: Evidence) -> Iterator[Picture]:
    from prfpipe.artifacts.plots.latency import ranges

    wide, narrow = ranges(evidence), ranges(evidence, width=_NARROW)
    if wide is None:
        return
    words = [f"{clean(result.scenario)} {_against(result, 'p50_ns')}" for result in evidence.verdict.scenarios]
    yield Picture(
        "ranges",
        title="Latency of every scenario",
        caption="Thin: p1 to p99. Thick: p25 to p75. Mark: p50.",
        alt=f"Latency ranges, median baseline against candidate: {'; '.join(words)}.",
        svg=wide,
        narrow=narrow,
    )


def _against(result: ScenarioResult, field: str) -> str:
    before, after = (getattr(result.arms[arm], field).estimate for arm in ("baseline", "candidate"))
    return f"{fmt.show(before, fmt.DURATION)} against {fmt.show(after, fmt.DURATION)}"
