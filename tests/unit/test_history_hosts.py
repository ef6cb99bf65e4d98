"""The same lever on different hosts: what agrees, what does not, and what nobody can say."""

import pytest

from prfpipe.history.hosts import HostComparison, compare_hosts, row, sentence
from tests.support.host_runs import Run, host_run


def compared(*runs: Run, within: float = 5) -> HostComparison:
    found = compare_hosts(runs, within)
    assert found is not None
    return found


def test_hosts_that_find_the_same_agree() -> None:
    found = compared(host_run("b", 1.5, 1.6), host_run("a", 1.52, 1.58, number=2))
    assert (found.verdicts, found.speedups) == ("agrees", "agrees")
    assert [item.host for item in found.hosts] == ["a", "b"]
    assert sentence(found) == (
        "the verdicts agree, the speed-ups agree: adopt on a (speed-up 1.55× [1.52, 1.58]), "
        "adopt on b (speed-up 1.55× [1.50, 1.60])"
    )


def test_one_adopts_what_another_rejects_and_one_sees_why() -> None:
    found = compared(host_run("a", 1.5, 1.6), host_run("b", 1.5, 1.6, "reject", 2))
    assert (found.verdicts, found.speedups) == ("disagrees", "agrees")
    assert row(found)["b"].startswith("reject (some-reason), speed-up")
    assert "the verdicts disagree" in sentence(found)


@pytest.mark.parametrize("words", [("adopt", "undecided"), ("reject", "undecided"), ("undecided", "undecided")])
def test_an_undecided_host_agrees_with_nobody(words: tuple[str, str]) -> None:
    assert compared(host_run("a", 1.5, 1.6, words[0]), host_run("b", 1.5, 1.6, words[1], 2)).verdicts == "undecided"


def test_two_opposite_verdicts_disagree_whatever_a_third_host_says() -> None:
    runs = [host_run(host, 1.5, 1.6, word, n) for n, (host, word) in enumerate([("a", "adopt"), ("b", "reject")])]
    assert compared(*runs, host_run("c", 1.5, 1.6, "undecided", 5)).verdicts == "disagrees"


def test_speedups_that_are_apart_disagree_though_both_adopt() -> None:
    found = compared(host_run("a", 1.5, 1.6), host_run("b", 2.0, 2.1, number=2))
    assert (found.verdicts, found.speedups) == ("agrees", "disagrees")
    assert "differ by more than 5 %" in sentence(found)
    assert compared(host_run("a", 1.5, 1.6), host_run("b", 2.0, 2.1, number=2), within=50).speedups == "agrees"


def test_hosts_with_different_files_of_a_lever_are_not_compared() -> None:
    plan, verdict = host_run("b", 2.0, 2.1, "reject", number=2)
    other = verdict.scenarios[0].model_copy(update={"scenario": "renamed"})
    changed = (plan.model_copy(update={"source_digest": "0" * 64}), verdict.model_copy(update={"scenarios": (other,)}))
    found = compared(host_run("a", 1.5, 1.6), changed)
    assert (found.same_files, found.verdicts, found.speedups) == (False, "undecided", "undecided")
    assert sentence(found).startswith("the hosts have different files of this lever, so whether")


def test_any_two_of_three_hosts_can_disagree() -> None:
    assert compared(
        host_run("a", 1.5, 1.6), host_run("b", 1.55, 1.9, number=2), host_run("c", 1.8, 2.0, number=3)
    ).speedups == ("disagrees")


def test_the_risk_is_the_sum_over_hosts_not_over_pairs() -> None:
    found = compared(*(host_run(host, 1.5, 1.6, number=n) for n, host in enumerate("abcd")))
    assert found.confidence == pytest.approx(0.96)


def test_the_newest_run_of_a_host_counts() -> None:
    found = compared(
        host_run("a", 3.0, 3.1, number=1), host_run("a", 1.5, 1.6, number=2), host_run("b", 1.5, 1.6, number=3)
    )
    assert found.speedups == "agrees"
    assert len(found.hosts) == 2


def test_a_run_that_compared_nothing_is_told_and_decides_nothing() -> None:
    plan, verdict = host_run("b", 1.5, 1.6, "undecided", 2)
    found = compared(host_run("a", 1.5, 1.6), (plan, verdict.model_copy(update={"scenarios": ()})))
    assert found.speedups == "undecided"
    assert row(found)["b"].endswith("nothing was compared")


def test_one_host_is_no_comparison() -> None:
    assert compare_hosts([host_run("a", 1.5, 1.6, number=1), host_run("a", 1.5, 1.6, number=2)]) is None
    assert compare_hosts([]) is None


def test_runs_of_two_levers_are_not_compared() -> None:
    with pytest.raises(ValueError, match="not of one lever"):
        compare_hosts([host_run("a", 1.5, 1.6), host_run("b", 1.5, 1.6, number=2, lever="LEV-02")])
