"""ART-04, correctness proof: what was compared, before and after, and what that would have caught."""

from prfpipe import layout
from prfpipe.artifacts import format as fmt
from prfpipe.artifacts.names import markdown
from prfpipe.artifacts.provenance import heading_markdown
from prfpipe.artifacts.tables import markdown_table
from prfpipe.models import BadOutputResult, CaseResult, CoverageFile, MutantResult, Plan, ProofRecord

_SHOWN_DETAILS = 50


def proof_notes(plan: Plan, prove: ProofRecord, verify: ProofRecord | None) -> dict[str, bytes]:
    """`proof.md` in art-04-proof/, by its name in the bundle; `verify` is None when the run ended before."""
    parts = [
        heading_markdown(plan, "ART-04 correctness proof"),
        _same_tree(prove, verify),
        _record("Before implementing", prove),
        _record("After, on the measured tree", verify) if verify else "",
    ]
    return {layout.PROOF_TEXT: "\n".join(part for part in parts if part).encode()}


def _same_tree(prove: ProofRecord, verify: ProofRecord | None) -> str:
    if verify is None:
        return "The run ended before the verify stage: only the proof before implementing exists.\n"
    same = "is" if prove.tree_digest == verify.tree_digest else "IS NOT"
    return f"The tree that was measured {same} the tree that was proven (sha256 {verify.tree_digest}).\n"


def _record(title: str, record: ProofRecord) -> str:
    return "\n".join(
        [
            f"## {title} (stage {record.stage})\n",
            f"### Conformance\n\n{_conformance(record)}\n",
            f"### Lockstep: side by side on fresh generated operations\n\n{_lockstep(record)}\n",
            f"### Edge cases\n\n{_cases(record.edge_cases)}\n",
            f"### Mutants: plausible bugs in the candidate's place\n\n{_mutants(record)}\n",
            f"### Edge-case coverage of the optimized path\n\n{_coverage(record)}\n",
            f"### Oracle self-test: known-bad outputs\n\n{_self_test(record)}\n",
        ]
    )


def _conformance(record: ProofRecord) -> str:
    cells = [[result.variant, *_tally(result.cases)] for result in record.conformance]
    failed = [case for result in record.conformance for case in result.cases]
    return _table(("variant", "cases", "passed", "operations"), cells) + _failures(failed)


def _lockstep(record: ProofRecord) -> str:
    cells = [
        [
            markdown(item.scenario),
            item.against,
            str(item.seed),
            fmt.show_count(item.operations),
            str(len(item.differences)),
        ]
        for item in record.lockstep
    ]
    differing = [case for item in record.lockstep for case in item.differences]
    return _table(("scenario", "baseline against", "seed", "operations", "differences"), cells) + _failures(differing)


def _cases(cases: tuple[CaseResult, ...]) -> str:
    if not cases:
        return "Not run in this stage."
    cells = [
        [markdown(case.name), fmt.show_count(case.operations), "passed" if case.passed else "FAILED"] for case in cases
    ]
    return _table(("case", "operations", "result"), cells) + _failures(cases)


def _mutants(record: ProofRecord) -> str:
    if record.stage != "prove":
        return "Not run in this stage."
    cells = [
        [markdown(item.mutant), markdown(item.caught_by), mutant_word(item), markdown(item.detail, 1000)]
        for item in record.mutants
    ]
    return markdown_table(("mutant", "case", "result", "what showed"), cells) if cells else NO_MUTANTS


NO_MUTANTS = "The lever declares none, so nothing shows that its cases would notice a bug."


def mutant_word(item: MutantResult) -> str:
    """Whether its case caught a mutant."""
    return "caught" if item.caught else "SURVIVED"


def _coverage(record: ProofRecord) -> str:
    if record.coverage is None:
        return markdown(record.coverage_reason, 1000) or "Not run in this stage."
    return _table(
        ("file", "lines covered", "branches covered", "missing lines", "missing branches", "excluded lines"),
        [coverage_row(file) for file in record.coverage],
    )


def coverage_row(file: CoverageFile) -> list[str]:
    """A file's coverage as Markdown cells."""
    return [
        markdown(file.file),
        covered(file.lines, len(file.missing_lines)),
        covered(file.branches, len(file.missing_branches)),
        ", ".join(map(str, file.missing_lines)) or "none",
        ", ".join(f"{start}→{end}" for start, end in file.missing_branches) or "none",
        ", ".join(map(str, file.excluded_lines)) or "none",
    ]


def covered(total: int, missing: int) -> str:
    """`41 of 42 (97.6 %)`."""
    share = 100.0 * (total - missing) / total if total else 100.0
    return f"{total - missing} of {total} ({share:.1f} %)"


def _self_test(record: ProofRecord) -> str:
    if not record.self_test:
        return "Not run in this stage."
    cells = [
        [markdown(item.kind), fmt.show_count(item.tried), self_test_word(item), markdown(item.detail, 1000)]
        for item in record.self_test
    ]
    return _table(("known-bad output", "tried", "result", "where"), cells)


def self_test_word(item: BadOutputResult) -> str:
    """Whether the oracle caught a kind of known-bad output."""
    if item.tried == 0:
        return "does not apply"
    return "caught" if item.caught else "NOT NOTICED"


def _tally(cases: tuple[CaseResult, ...]) -> list[str]:
    passed = sum(case.passed for case in cases)
    return [str(len(cases)), str(passed), fmt.show_count(sum(case.operations for case in cases))]


def _failures(cases: tuple[CaseResult, ...] | list[CaseResult]) -> str:
    failed = [case for case in cases if not case.passed]
    lines = [f"- **{markdown(case.name)}**: {markdown(case.detail, 2000)}" for case in failed[:_SHOWN_DETAILS]]
    if len(failed) > _SHOWN_DETAILS:
        lines.append(f"- and {len(failed) - _SHOWN_DETAILS} more")
    return "\n\n" + "\n".join(lines) if lines else ""


def _table(header: tuple[str, ...], cells: list[list[str]]) -> str:
    return markdown_table(header, cells) if cells else "Nothing was compared."
