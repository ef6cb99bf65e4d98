"""The verdict on made-up samples: each way to deserve adoption, to be refused, and to stay undecided."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prfpipe.digests import sha256_hex
from prfpipe.limits import places_beside
from prfpipe.models import (
    CommandVariant,
    Effort,
    GuardMetric,
    Invocation,
    ProfileRecord,
    SampleSet,
    Schedule,
    Variants,
)
from tests.support import bundles, findings
from tests.support.decisions import (
    PRIMARY,
    SAMPLES,
    Shape,
    codes,
    decide,
    invocation,
    measured,
    plan,
    profiles,
    sample_set,
    tree,
)

# ---- the effect -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("effort", list(Effort))
def test_a_clear_gain_with_everything_in_order_is_adopted(effort: Effort) -> None:
    the_plan = plan(("p99", 5.0), effort=effort)
    found = decide(the_plan, measured(the_plan, 2.5))
    assert (found.verdict, found.claim, codes(found)) == ("adopt", "met", ["faster", "guard-holds"])


@pytest.mark.parametrize(
    ("speedup", "verdict", "code"),
    [
        (0.5, "reject", "slower"),
        (0.98, "reject", "slower"),
        (1.0, "reject", "no-gain"),
        (1.005, "reject", "no-gain"),
        (1.01, "undecided", "gain-undecided"),
        (1.02, "adopt", "faster"),
    ],
)
def test_the_interval_decides_about_the_gain(speedup: float, verdict: str, code: str) -> None:
    the_plan = plan()
    found = decide(the_plan, measured(the_plan, speedup))
    assert (found.verdict, codes(found)[0]) == (verdict, code)


@given(st.integers(0, 10**6), st.floats(0.0005, 0.05), st.integers(1, 40))
@settings(max_examples=40)
def test_a_candidate_that_is_the_baseline_is_never_adopted(shift: int, noise: float, n: int) -> None:
    the_plan = plan()
    seconds = the_plan.rule.seconds / n
    same = [invocation(shift + i, 1.0, seconds=seconds, noise=noise).model_copy(update={"index": i}) for i in range(n)]
    arms = [item.model_copy(update={"arms": {**item.arms, "candidate": item.arms["baseline"]}}) for item in same]
    assert decide(the_plan, sample_set(arms)).verdict != "adopt"


def test_a_gain_that_noise_hides_is_undecided_and_says_what_could_be_resolved() -> None:
    the_plan = plan()
    found = decide(the_plan, measured(the_plan, 1.05, noise=0.3))
    assert found.verdict == "undecided"
    assert "could resolve" in next(reason.message for reason in found.reasons if reason.code == "gain-undecided")


@pytest.mark.parametrize("n", [1, 5])
def test_too_few_invocations_are_undecided_and_give_no_interval(n: int) -> None:
    the_plan = plan()
    found = decide(the_plan, measured(the_plan, 5.0, n=n))
    assert (found.verdict, codes(found), found.scenarios[0].speedup.low) == ("undecided", ["too-few-invocations"], None)


@pytest.mark.parametrize("kept", [0, 3])
def test_nothing_measured_is_undecided(kept: int) -> None:
    the_plan = plan()
    excluded = [invocation(i, 2.0, seconds=1, excluded="interrupted") for i in range(kept)]
    found = decide(the_plan, sample_set(excluded))
    assert (found.verdict, codes(found), found.scenarios) == ("undecided", ["nothing-measured"], ())


def test_a_scenario_that_was_not_primary_decides_nothing() -> None:
    the_plan = plan()
    other = measured(the_plan, 5.0).model_dump()
    for item in (*other["schedules"], *other["invocations"]):
        item["scenario"] = "other"
    found = decide(the_plan, SampleSet.model_validate(other))
    assert codes(found) == ["nothing-measured"]
    assert [result.primary for result in found.scenarios] == [False]


def test_excluded_invocations_do_not_count() -> None:
    the_plan = plan()
    good = measured(the_plan, 2.5)
    bad = [
        invocation(20 + i, 0.1, seconds=the_plan.rule.seconds, noise=0.5, excluded="a neighbour woke up")
        for i in range(9)
    ]
    assert decide(the_plan, sample_set([*good.invocations, *bad])) == decide(the_plan, good)


# ---- the claim ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("speedup", "noise", "claim"),
    [
        (2.5, 0.001, "met"),
        (9.0, 0.001, "met"),
        (1.5, 0.001, "not-met"),
        (2.0, 0.02, "undecided"),
        (0.5, 0.001, "not-met"),
    ],
)
def test_the_claim_is_met_inside_or_above_its_range_only(speedup: float, noise: float, claim: str) -> None:
    the_plan = plan()
    assert decide(the_plan, measured(the_plan, speedup, noise=noise)).claim == claim


def test_without_an_interval_the_claim_is_undecided() -> None:
    the_plan = plan()
    assert decide(the_plan, measured(the_plan, 9.0, n=2)).claim == "undecided"


# ---- guards ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metric", "shape", "state"),
    [
        ("p99", {"slow": 2.4}, "holds"),
        ("p99", {"slow": 2.75}, "violated"),
        ("peak_rss", {"peak_rss": 1.04}, "holds"),
        ("peak_rss", {"peak_rss": 10.0}, "violated"),
        ("cold_start", {"cold_start": 0.5}, "holds"),
        ("cold_start", {"cold_start": 1.06}, "violated"),
        ("throughput", {"slow": 15.0}, "holds"),
        ("throughput", {"slow": 19.0}, "violated"),
    ],
)
def test_a_guard_holds_up_to_its_limit(metric: GuardMetric, shape: Shape, state: str) -> None:
    # The candidate's median is 2.5 times as fast, so its slowest sample may be 2.625 of its own and still be in p99's
    # limit, and about 17 of its own before ten of them take 5 % longer than ten of the baseline's.
    the_plan = plan((metric, 5.0))
    found = decide(the_plan, measured(the_plan, 2.5, shapes={"candidate": shape}))
    assert [guard.state for guard in found.guards] == [state]
    assert (found.verdict, codes(found)[0]) == (
        ("adopt", "faster") if state == "holds" else ("reject", "guard-violated")
    )


@pytest.mark.parametrize("metric", ["p99", "throughput"])
def test_a_guard_that_cannot_be_decided_keeps_the_lever_from_adoption(metric: GuardMetric) -> None:
    the_plan = plan((metric, 5.0))
    worse = 2.6 if metric == "p99" else 17.2
    samples = measured(the_plan, 2.5, noise=0.03, shapes={"candidate": {"slow": worse}})
    found = decide(the_plan, samples)
    assert (found.verdict, found.guards[0].state, codes(found)[0]) == ("undecided", "undecided", "guard-undecided")


def test_a_guard_without_an_interval_is_undecided() -> None:
    the_plan = plan(("p99", 5.0))
    [guard] = decide(the_plan, measured(the_plan, 2.5, n=2)).guards
    assert (guard.state, guard.worst_percent) == ("undecided", None)


def test_the_worst_case_of_a_guard_is_the_far_end_of_its_interval() -> None:
    the_plan = plan(("peak_rss", 25.0))
    [guard] = decide(the_plan, measured(the_plan, 2.5, shapes={"candidate": {"peak_rss": 1.25}})).guards
    assert (guard.state, guard.worst_percent) == ("holds", 25.0)


@pytest.mark.parametrize(("slow", "state"), [(17.0, "holds"), (17.45, "violated")])
def test_the_worst_case_of_throughput_is_told_on_the_scale_of_its_limit(slow: float, state: str) -> None:
    # Ten samples of the candidate take as long as 10.4 and 10.58 of the baseline: throughput falls by 3.8 and 5.5 %.
    the_plan = plan(("throughput", 5.0))
    found = decide(the_plan, measured(the_plan, 2.5, noise=0.0, shapes={"candidate": {"slow": slow}}))
    [guard] = found.guards
    assert guard.worst_percent is not None
    assert guard.worst_percent == pytest.approx(100 * (1 - 25 / (9 + slow)), abs=0.001)
    assert (guard.state, guard.worst_percent > 5.0) == (state, state == "violated")


@pytest.mark.parametrize(("worst", "places"), [(4.2, 1), (-85.1, 1), (5.04, 2), (5.004, 3), (4.96, 1), (5.0, 1)])
def test_a_worst_case_is_never_rounded_onto_the_other_side_of_its_limit(worst: float, places: int) -> None:
    assert places_beside(5.0, worst) == places


def test_an_equal_median_with_a_worse_tail_is_rejected() -> None:
    the_plan = plan(("p99", 5.0))
    found = decide(the_plan, measured(the_plan, 1.0, shapes={"candidate": {"slow": 3.0}}))
    assert found.verdict == "reject"
    assert "guard-violated" in codes(found)


# ---- the control ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("control", [1.02, 0.98])
def test_a_run_whose_two_baselines_differ_is_undecided(control: float) -> None:
    the_plan = plan()
    found = decide(the_plan, measured(the_plan, 2.5, control=control))
    assert (found.verdict, codes(found)[0]) == ("undecided", "control-significant")


@pytest.mark.parametrize("control", [1.03, 0.97])
def test_a_gain_below_the_difference_of_two_baselines_is_within_noise(control: float) -> None:
    the_plan = plan()
    found = decide(the_plan, measured(the_plan, 1.02, control=control))
    assert found.verdict == "undecided"
    assert "within-noise" in codes(found)


# ---- cheats ---------------------------------------------------------------------------------------------


def test_other_outputs_of_the_candidate_are_rejected_and_the_place_is_named() -> None:
    the_plan = plan()
    found = decide(the_plan, measured(the_plan, 2.5, shapes={"candidate": {"outputs": "other"}}))
    assert (found.verdict, codes(found)[0]) == ("reject", "timed-outputs-differ")
    assert "invocation 0" in found.reasons[0].message


def test_a_baseline_that_contradicts_itself_is_rejected() -> None:
    the_plan = plan()
    found = decide(the_plan, measured(the_plan, 2.5, shapes={"control": {"outputs": "other"}}))
    assert (found.verdict, codes(found)[0]) == ("reject", "baseline-nondeterministic")


def test_one_wrong_output_in_the_last_of_many_invocations_is_enough() -> None:
    the_plan = plan()
    good = measured(the_plan, 2.5).invocations
    bad = invocation(19, 2.5, seconds=the_plan.rule.seconds / 20, shapes={"candidate": {"outputs": "other"}})
    assert decide(the_plan, sample_set([*good[:-1], bad])).verdict == "reject"


def test_a_saving_that_only_the_subjects_own_clock_shows_is_rejected() -> None:
    the_plan = plan()
    found = decide(the_plan, measured(the_plan, 2.5, shapes={"candidate": {"wall": 2.5}}))
    assert (found.verdict, codes(found)[0]) == ("reject", "clock-disagrees")


@pytest.mark.parametrize("put_off", [0.6, 0.8, 0.9])
@pytest.mark.parametrize("block", [1, 2])
def test_a_wait_that_is_put_off_in_most_operations_is_rejected(put_off: float, block: int) -> None:
    """The median shows a tenth of the time; quartiles of single operations show nothing saved, by either clock."""
    the_plan = plan()
    drawn = measured(the_plan, 1.0).invocations
    schedule = Schedule(scenario=PRIMARY, group=1, block=block, rounds=SAMPLES // block)
    cheat = SampleSet(schedules=(schedule,), invocations=tuple(_put_off(item, put_off, block) for item in drawn))
    found = decide(the_plan, cheat)
    assert found.scenarios[0].speedup.estimate > 4
    assert (found.verdict, codes(found)[0]) == ("reject", "clock-disagrees")


def _put_off(drawn: Invocation, share: float, block: int) -> Invocation:
    """Operations of two lengths, the same for every arm; the candidate answers the long ones with a promise."""
    arms = {}
    for name, arm in drawn.arms.items():
        count = len(arm.samples_ns)
        true = [each * (10 if at < share * count else 1) for at, each in enumerate(arm.samples_ns)]
        random.Random(drawn.index).shuffle(true)
        walls = tuple(sum(true[at : at + block]) for at in range(0, count, block))
        told = tuple(min(each, 2 * min(true)) for each in true) if name == "candidate" else tuple(true)
        cpu = {"cpu_ns": tuple(wall // 50 for wall in walls), "session_cpu_ns": sum(walls) // 50}
        arms[name] = arm.model_copy(update={"samples_ns": told, "wall_ns": walls, **cpu})
    return drawn.model_copy(update={"arms": arms})


@pytest.mark.parametrize("shape", [{"cpu": 2.5}, {"session": 2.5}])
def test_work_that_moved_to_another_thread_or_to_after_the_answer_is_rejected(shape: Shape) -> None:
    the_plan = plan()
    found = decide(the_plan, measured(the_plan, 2.5, shapes={"candidate": shape}))
    assert (found.verdict, codes(found)[0]) == ("reject", "work-moved")


def test_moved_work_that_holds_up_some_blocks_so_that_their_total_shows_no_saving_is_rejected() -> None:
    the_plan = plan()
    found = decide(the_plan, measured(the_plan, 1.3, shapes={"candidate": {"slow": 8.0, "cpu": 0.6, "session": 2.5}}))
    assert (found.verdict, codes(found)[0]) == ("reject", "work-moved")
    assert "the CPU time of the timed blocks shows" in found.reasons[0].message


@pytest.mark.parametrize(
    ("code", "shape", "noisy"),
    [
        ("clock-disagrees", {"wall": 2.5}, {"wall": 1.8}),
        ("work-moved", {"session": 2.5}, {"session": 1.8}),
    ],
)
def test_an_outer_clock_on_which_even_the_copies_of_the_baseline_differ_leaves_the_verdict_open(
    code: str, shape: Shape, noisy: Shape
) -> None:
    the_plan = plan()
    found = decide(the_plan, measured(the_plan, 2.5, shapes={"candidate": shape, "control": noisy}))
    assert (found.verdict, codes(found)[0]) == ("undecided", code)


@pytest.mark.parametrize(("session", "verdict"), [(1.04, "adopt"), (1.11, "undecided"), (1.6, "reject")])
def test_cpu_that_a_variant_may_take_to_end_leaves_the_verdict_open_and_more_is_moved_work(
    session: float, verdict: str
) -> None:
    the_plan = plan()
    found = decide(the_plan, measured(the_plan, 1.2, shapes={"candidate": {"session": session}}))
    assert (found.verdict, "work-moved" in codes(found)) == (verdict, verdict != "adopt")
    if verdict == "undecided":
        assert "what a variant takes to end may come to" in found.reasons[0].message


def test_one_disturbed_invocation_neither_hides_a_saving_nor_makes_one() -> None:
    the_plan = plan()
    good = measured(the_plan, 2.5, shapes={"candidate": {"session": 1.1}}).invocations
    seconds = the_plan.rule.seconds / len(good)
    disturbed = invocation(len(good) - 1, 2.5, seconds=seconds, shapes={"candidate": {"session": 90.0, "wall": 90.0}})
    assert decide(the_plan, sample_set([*good[:-1], disturbed])).verdict == "adopt"


def test_a_subject_that_waits_may_save_time_without_saving_cpu() -> None:
    the_plan = plan()
    waits = {"baseline": {"cpu": 0.1}, "control": {"cpu": 0.1}, "candidate": {"cpu": 0.25}}
    assert decide(the_plan, measured(the_plan, 2.5, shapes=waits)).verdict == "adopt"


def test_a_gain_beyond_amdahls_bound_is_undecided() -> None:
    the_plan = plan()
    found = decide(the_plan, measured(the_plan, 2.5), profiles=profiles(1.2))
    assert (found.verdict, codes(found)[0]) == ("undecided", "gain-exceeds-profile")


@pytest.mark.parametrize("bound", [None, 1.7])
def test_no_bound_or_one_within_a_profiles_error_is_no_objection(bound: float | None) -> None:
    the_plan = plan()
    assert decide(the_plan, measured(the_plan, 2.5), profiles=profiles(bound)).verdict == "adopt"


# ---- proof, profile, tree -------------------------------------------------------------------------------


BLIND = {"cpu": None, "allocations": None}


@pytest.mark.parametrize(
    ("seen", "unseen"),
    [
        ((findings.profile("candidate"),), "the baseline"),
        ((findings.profile("baseline"),), "the candidate"),
        ((findings.profile("baseline", **BLIND), findings.profile("candidate")), "the baseline"),
        ((findings.profile("baseline", **BLIND), findings.profile("candidate", **BLIND)), "the baseline and the cand"),
    ],
)
def test_without_profiles_of_both_python_variants_nothing_is_adopted(
    seen: tuple[ProfileRecord, ...], unseen: str
) -> None:
    the_plan = plan()
    found = decide(the_plan, measured(the_plan, 2.5), profiles=seen)
    assert (found.verdict, codes(found)[0]) == ("undecided", "not-profiled")
    assert f"no profile of {unseen}" in found.reasons[0].message


def test_a_lever_of_commands_is_adopted_although_no_profiler_can_see_into_it() -> None:
    the_plan = plan()
    command = CommandVariant(command=("node", "subject.js"))
    commands = the_plan.lever.model_copy(update={"variants": Variants(baseline=command, candidate=command)})
    blind = (findings.profile("baseline", **BLIND), findings.profile("candidate", **BLIND))
    other = the_plan.model_copy(update={"lever": commands})
    assert decide(other, measured(other, 2.5), profiles=blind).verdict == "adopt"


@pytest.mark.parametrize("stages", [(), ("prove",), ("verify",)])
def test_without_both_proofs_nothing_is_adopted(stages: tuple[str, ...]) -> None:
    the_plan = plan()
    found = decide(the_plan, measured(the_plan, 2.5), proofs=tuple(bundles.proof(the_plan, each) for each in stages))
    assert (found.verdict, codes(found)[0]) == ("undecided", "not-proven")


def test_a_failed_case_is_rejected_by_name_whatever_the_gain() -> None:
    the_plan = plan()
    prove, verify = (bundles.proof(the_plan, stage) for stage in ("prove", "verify"))
    wrong = findings.case("symlink loop", passed=False, detail="expected 3, found 4")
    failed = prove.model_copy(update={"edge_cases": (*prove.edge_cases, wrong)})
    found = decide(the_plan, measured(the_plan, 9.0), proofs=(failed, verify))
    assert (found.verdict, codes(found)[0]) == ("reject", "edge-case-wrong")
    assert "symlink loop" in found.reasons[0].message


@pytest.mark.parametrize("stage", [0, 1])
def test_a_proof_of_another_tree_is_rejected(stage: int) -> None:
    the_plan = plan()
    proofs = [bundles.proof(the_plan, name) for name in ("prove", "verify")]
    proofs[stage] = proofs[stage].model_copy(update={"tree_digest": sha256_hex(b"another tree")})
    found = decide(the_plan, measured(the_plan, 2.5), proofs=tuple(proofs))
    assert (found.verdict, codes(found)[0]) == ("reject", "tree-differs")


def test_a_change_outside_of_the_optimized_path_is_rejected_and_named() -> None:
    the_plan = plan()
    found = decide(the_plan, measured(the_plan, 2.5), tree=tree(the_plan, outside_path=("workload.py",)))
    assert (found.verdict, codes(found)[0]) == ("reject", "outside-path")
    assert "workload.py" in found.reasons[0].message


def test_reasons_to_reject_stand_before_open_ones_and_those_before_support() -> None:
    the_plan = plan()
    samples = measured(the_plan, 2.5, shapes={"candidate": {"outputs": "other"}})
    found = decide(the_plan, samples, profiles=())
    assert codes(found) == ["timed-outputs-differ", "not-profiled", "faster"]
