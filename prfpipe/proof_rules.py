"""What speaks against a lever in its proof: a pure function of the record, for producer and auditor both."""

from collections.abc import Iterator

from prfpipe.models import CaseResult, CoverageFile, ProofRecord, Reason

MIN_KINDS = 4
_MAX_REASONS = 5


def failures(record: ProofRecord) -> tuple[Reason, ...]:
    """Every reason why a proof does not hold, a few of each code at most; one that shows nothing does not.

    Codes: `empty-proof`, `conformance-failed`, `lockstep-difference`, `baseline-nondeterministic`,
    `edge-case-wrong`, `mutant-survives`, `coverage-missing`, `oracle-blind`, `oracle-untested`.
    """
    found: dict[str, list[str]] = {}
    for code, message in _all(record):
        found.setdefault(code, []).append(message)
    return tuple(Reason(code=code, message=text) for code, texts in found.items() for text in _bounded(texts))


def _bounded(messages: list[str]) -> list[str]:
    more = len(messages) - _MAX_REASONS
    return [*messages[:_MAX_REASONS], f"… and {more} more of this kind"] if more > 0 else messages


def _all(record: ProofRecord) -> Iterator[tuple[str, str]]:
    yield from (("empty-proof", message) for message in _absent(record))
    yield from (("conformance-failed", message) for message in _conformance(record))
    yield from _lockstep(record)
    yield from (
        ("edge-case-wrong", f"edge case `{case.name}`: {case.detail}") for case in record.edge_cases if not case.passed
    )
    yield from (
        ("mutant-survives", f"mutant `{bug.mutant}` is not caught by `{bug.caught_by}`: {bug.detail}")
        for bug in record.mutants
        if not bug.caught
    )
    yield from (("coverage-missing", message) for message in _coverage(record))
    yield from _self_test(record)


def _absent(record: ProofRecord) -> Iterator[str]:
    if {result.variant for result in record.conformance if result.cases} != {"baseline", "candidate"}:
        yield "no conformance case was run on both variants: put at least one into conformance/*.json"
    if record.stage == "prove" and not record.edge_cases:
        yield "no edge case was run: edge_cases() of the workload gives none"
    compared = {result.against for result in record.lockstep if result.operations}
    if compared != {"candidate", "baseline"}:
        yield "lockstep compared no operation with the candidate or none with a second baseline"
    yield from (f"lockstep of {each.scenario} compared nothing" for each in record.lockstep if not each.operations)
    yield from (f"{what} `{case.name}` has no operations" for what, case in _cases(record) if not case.operations)


def _cases(record: ProofRecord) -> Iterator[tuple[str, CaseResult]]:
    yield from (("conformance case", case) for result in record.conformance for case in result.cases)
    yield from (("edge case", case) for case in record.edge_cases)


def _conformance(record: ProofRecord) -> Iterator[str]:
    for result in record.conformance:
        for case in result.cases:
            if not case.passed:
                yield f"conformance case `{case.name}` fails on the {result.variant}: {case.detail}"


def _lockstep(record: ProofRecord) -> Iterator[tuple[str, str]]:
    for result in record.lockstep:
        for case in result.differences:
            where = f"lockstep of {result.scenario} (seed {result.seed}), {case.name}: {case.detail}"
            if result.against == "candidate":
                yield "lockstep-difference", where
            else:
                yield "baseline-nondeterministic", f"two runs of the baseline differ in {where}"


def _coverage(record: ProofRecord) -> Iterator[str]:
    if not record.coverage:
        if record.stage == "prove" and not record.coverage_reason:
            yield "how much of the optimized path the edge cases reach was not measured"
        return
    for file in record.coverage:
        if missing := ", ".join(_missing(file)):
            because = f" ({record.coverage_reason})" if record.coverage_reason else ""
            yield f"{file.file}: no edge case reaches {missing}{because}"


def _missing(file: CoverageFile) -> Iterator[str]:
    if file.missing_lines:
        yield f"lines {_spans(file.missing_lines)}"
    # A branch from a line that is not reached at all says nothing new.
    partial = [branch for branch in file.missing_branches if branch[0] not in file.missing_lines]
    yield from (f"branch {start}->{end if end > 0 else 'exit'}" for start, end in partial)


def _self_test(record: ProofRecord) -> Iterator[tuple[str, str]]:
    for bad in record.self_test:
        if bad.tried and not bad.caught:
            yield "oracle-blind", f"the oracle takes a wrong output ({bad.kind}) for the right one: {bad.detail}"
    tried = sum(bad.tried > 0 for bad in record.self_test)
    if tried < MIN_KINDS:
        yield "oracle-untested", f"only {tried} kinds of wrong output could be shown to the oracle, not {MIN_KINDS}"


def _spans(lines: tuple[int, ...]) -> str:
    """Sorted line numbers: `3, 7-9`."""
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in _runs(lines))


def _runs(lines: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """First and last of each run of consecutive numbers."""
    starts = [line for line in lines if line - 1 not in lines]
    ends = [line for line in lines if line + 1 not in lines]
    return zip(starts, ends, strict=True)
