"""The plan: frozen before measuring, the same rule for the same effort, no secrets in its command."""

import re
import shlex
import subprocess
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from prfpipe import plan as planning
from prfpipe import stats
from prfpipe.artifacts.provenance import reproduce
from prfpipe.digests import sha256_tree
from prfpipe.models import Effort, Plan, Scenario
from tests.support import plans

NOW = datetime(2026, 11, 23, 8, 15, tzinfo=UTC)


def make(tmp_path: Path, effort: Effort = Effort.QUICK, **changes: Any) -> Plan:
    files = {"candidate.py": "0" * 64}
    given = {"source_files": files, "host": plans.host(), "noise": plans.noise(), "command": ("prfpipe",), **changes}
    return planning.make_plan(plans.lever(), effort, folder=tmp_path, **given)


@pytest.mark.parametrize("effort", list(Effort))
def test_the_rule_of_an_effort_can_come_to_a_decision(effort: Effort) -> None:
    rule = planning.make_rule(plans.lever(), effort)
    assert sum(stats.exact(weight) for weight in rule.look_weights) == 1
    assert list(rule.look_fractions) == sorted(set(rule.look_fractions))
    assert rule.look_fractions[-1] == 1
    assert len(rule.look_fractions) == len(rule.look_weights)
    assert stats.critical_counts([rule.min_invocations], stats.exact(rule.alpha), [Fraction(1)])[0] > 0
    assert rule.min_invocations <= rule.max_invocations


def test_a_higher_effort_is_never_less_sure_nor_shorter() -> None:
    rules = [planning.make_rule(plans.lever(), effort) for effort in Effort]
    assert [rule.alpha for rule in rules] == sorted((rule.alpha for rule in rules), reverse=True)
    for field in ("seconds", "secondary_seconds", "baseline_seconds", "min_invocations", "secondary_invocations"):
        values = [getattr(rule, field) for rule in rules]
        assert values == sorted(values)


def test_the_rule_takes_thresholds_from_the_lever_and_nothing_else() -> None:
    spec = plans.lever(min_gain_percent=3.0, expected_speedup=(4.0, 6.0))
    rule = planning.make_rule(spec, Effort.QUICK)
    assert (rule.min_gain_percent, rule.expected_speedup, rule.guards) == (3.0, (4.0, 6.0), spec.guards)
    assert rule == planning.make_rule(spec, Effort.QUICK)


def test_a_plan_holds_the_digest_of_its_sources_and_survives_json(tmp_path: Path) -> None:
    found = make(tmp_path)
    assert found.source_digest == sha256_tree(found.source_files)
    assert Plan.model_validate_json(found.model_dump_json()) == found


def test_a_plan_does_not_change(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        make(tmp_path).seed = 1  # type: ignore[misc]


def test_a_seed_that_was_given_is_kept_and_without_one_each_plan_has_its_own(tmp_path: Path) -> None:
    assert make(tmp_path, seed=0).seed == 0
    assert make(tmp_path).seed != make(tmp_path).seed


def test_run_ids_sort_by_time_name_the_lever_and_never_repeat() -> None:
    later = datetime(2026, 11, 23, 8, 15, 1, tzinfo=UTC)
    first, again, last = (planning.new_run_id("LEV-01", when) for when in (NOW, NOW, later))
    assert re.fullmatch(r"20261123T081500Z-lev-01-[0-9a-f]{8}", first)
    assert first != again
    assert max(first, again) < last


def test_the_longest_id_of_a_lever_still_makes_a_run_id() -> None:
    plans.plan(run_id=planning.new_run_id("A" * 40, NOW))


@pytest.mark.parametrize(
    ("effort", "names"),
    [
        (Effort.QUICK, ["main", "quick"]),
        (Effort.STANDARD, ["main", "quick", "standard"]),
        (Effort.RIGOROUS, ["main", "rigorous", "quick", "standard"]),
    ],
)
def test_scenarios_are_measured_from_their_effort_on_the_primary_one_always_and_first(
    effort: Effort, names: list[str]
) -> None:
    scenarios = (
        Scenario(name="rigorous", from_effort=Effort.RIGOROUS),
        Scenario(name="quick"),
        Scenario(name="standard", from_effort=Effort.STANDARD),
        Scenario(name="main", primary=True, from_effort=Effort.RIGOROUS),
    )
    the_plan = plans.plan(plans.lever(scenarios=scenarios), effort=effort)
    assert [scenario.name for scenario in planning.planned_scenarios(the_plan)] == names


# ---- provenance -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "kept"),
    [
        ("LEV-01", "LEV-01"),
        ("s3://bucket/team?endpoint=http://127.0.0.1:9000", "s3://bucket/team?endpoint=http://127.0.0.1:9000"),
        ("s3://AKIA:wJalr@bucket/team", "s3://***@bucket/team"),
        ("s3://AKIA:wJ/a@lr@bucket", "s3://***@bucket"),
        ("--store=https://me:pw@host/x", "--store=https://***@host/x"),
        ("s3://b?region=eu&access_key=AKIA&secret_key=wJalr", "s3://b?region=eu&access_key=***&secret_key=***"),
        ("SECRET=x", "SECRET=***"),
        ("session-token=abc", "session-token=***"),
        ("path/with@sign", "path/with@sign"),
        ("exec server --db-password hunter2 --port 80", "exec server --db-password *** --port 80"),
        ("Authorization: Basic aHVudGVyMg==", "Authorization: ***"),
        ("curl -H 'X-Api-Key: abc' host", "curl -H 'X-Api-Key: ***' host"),
        ("token bucket", "token bucket"),
        ("the cache's key: a digest", "the cache's key: a digest"),
    ],
)
def test_secrets_are_taken_out_of_the_command(word: str, kept: str) -> None:
    assert planning.without_secrets(word) == kept
    assert planning.without_secrets(kept) == kept


def test_a_secret_that_is_a_word_of_its_own_is_taken_out_of_the_command() -> None:
    words = ("./server", "--password", "hunter2", "-auth-token", "abc", "--port", "80", "--key")
    kept = ("./server", "--password", "***", "-auth-token", "***", "--port", "80", "--key")
    assert planning.words_without_secrets(words) == kept


def test_the_command_can_be_typed_again(tmp_path: Path) -> None:
    words = ("prfpipe", "evaluate", "my lever/it's; rm -rf $HOME", "--effort", "quick")
    assert shlex.split(reproduce(make(tmp_path, command=words))) == list(words)


def test_a_folder_outside_of_any_repository_has_no_commit(tmp_path: Path) -> None:
    found = planning.provenance(("prfpipe",), tmp_path, NOW)
    assert (found.git_commit, found.git_dirty, found.created_at) == ("none", False, "2026-11-23T08:15:00.000+00:00")
    assert found.tools["prfpipe"]


def test_the_commit_of_the_lever_and_its_uncommitted_changes_are_recorded(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=x", "-c", "user.email=x@example.invalid", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ["git", *identity, "-C", str(tmp_path), *arguments], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "-q")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-q", "-m", "one")
    clean = planning.provenance((), tmp_path, NOW)
    assert (clean.git_commit, clean.git_dirty) == (git("rev-parse", "HEAD"), False)
    (tmp_path / "b").write_text("2")
    assert planning.provenance((), tmp_path, NOW).git_dirty


def test_without_git_there_is_no_commit_and_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert planning.provenance((), tmp_path, NOW).git_commit == "none"


@pytest.mark.parametrize("effort", [Effort.STANDARD, Effort.RIGOROUS])
def test_every_scenario_gets_an_interval_where_there_is_time(effort: Effort) -> None:
    rule = planning.make_rule(plans.lever(), effort)
    assert rule.secondary_invocations >= rule.min_invocations
