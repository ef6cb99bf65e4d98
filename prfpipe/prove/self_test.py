"""Shows the oracle outputs that are known to be bad: one that misses them proves nothing."""

from collections.abc import Iterator, Sequence

from prfpipe.digests import canonical_json
from prfpipe.models import BadOutputResult
from prfpipe.prove.bad_outputs import BAD_OUTPUTS
from prfpipe.prove.stand import Exhibit, Stand, digest_or_refusal
from prfpipe.prove.text import plain
from prfpipe.subject.process import Workload

_MAX_EXHIBITS = 8


def run(stand: Stand, workload: Workload) -> tuple[BadOutputResult, ...]:
    """Every kind of bad output made of a choice of exhibits; caught: its canonical bytes are not the true ones.

    An alteration that leaves the result as it was (the result before was the same) is not shown.
    """
    stand.progress("oracle self-test")
    exhibits = _choice(stand.exhibits)
    truths = [workload.digests([exhibit.result])[0] for exhibit in exhibits]
    return tuple(_show(workload, kind, exhibits, truths) for kind in BAD_OUTPUTS)


def _choice(exhibits: Sequence[Exhibit]) -> list[Exhibit]:
    """Different results, from the smallest to the largest."""
    distinct = {canonical_json([exhibit.result, exhibit.previous]): exhibit for exhibit in exhibits}
    by_size = [distinct[key] for key in sorted(distinct, key=lambda key: (len(key), key))]
    step = max(1, -(-len(by_size) // _MAX_EXHIBITS))
    return by_size[::-1][::step]


def _show(workload: Workload, kind: str, exhibits: Sequence[Exhibit], truths: Sequence[str]) -> BadOutputResult:
    tried, survived = 0, ""
    for exhibit, truth in zip(exhibits, truths, strict=True):
        for where, altered in _alterations(kind, exhibit):
            tried += 1
            if not survived and digest_or_refusal(workload, altered) == truth:
                survived = f"altered at {plain(where)}, `{_excerpt(exhibit.result)}` still counts as the same result"
    return BadOutputResult(kind=kind, caught=tried > 0 and not survived, tried=tried, detail=survived)


def _alterations(kind: str, exhibit: Exhibit) -> Iterator[tuple[str, object]]:
    unaltered = canonical_json(exhibit.result)
    for where, altered in BAD_OUTPUTS[kind](exhibit):
        if canonical_json(altered) != unaltered:
            yield where, altered


def _excerpt(result: object) -> str:
    return plain(canonical_json(result).decode("utf-8", "replace"), 80)
