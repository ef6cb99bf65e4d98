"""LEV-04: a batch answers as a sequence does, slices lose nothing that counts, the world is a sensible one."""

import itertools
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cedarpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.lever_modules import LEVERS, load_modules

FOLDER = LEVERS / "lev_04_batch_policy"
MIXED = {"policies": 100, "batch": 64, "stateful_percent": 12, "change_every": 1, "update_every": 8}

lever = load_modules(FOLDER, *(path.stem for path in FOLDER.glob("*.py")), "ignores_state")
edge = lever.edge_cases
WORLD = edge.load(
    edge.QUOTA | edge.PIN | edge.RATE,
    rules=edge.USED | edge.FAILURES | edge.TOKENS,
    grants=[edge.grant("g0", "share", "Extension::lint", "Folder::root")["grant"]],
)["load"]
WHOS = ("User::ann", "User::bob", "Extension::lint", "User::eve")


def service(variant: Any, world: dict[str, Any] = WORLD) -> Any:
    return variant.Subject({"world": world}, Path())


def answer(subject: Any, *items: Any) -> Any:
    """What a caller gets over the wire."""
    return json.loads(json.dumps(subject.operate(json.loads(json.dumps({"items": items})))))


def requests() -> st.SearchStrategy[Any]:
    """Requests of which a rule counts most, close together in time and not always in order."""
    return st.builds(
        edge.ask,
        st.sampled_from(["read", "write", "connect", "unlock", "fly"]),
        st.sampled_from(WHOS),
        st.sampled_from(["File::a", "File::b", "Folder::src"]),
        at=st.integers(0, 3000),
        pin=st.booleans(),
        mfa=st.booleans(),
    )


def events() -> st.SearchStrategy[Any]:
    """Changes, some of which are refused."""
    texts = st.sampled_from(['forbid(principal, action in Action::"all", resource);', edge.QUOTA["reads"], "nonsense"])
    return st.one_of(
        st.builds(
            edge.grant,
            st.sampled_from(["g0", "g1"]),
            st.sampled_from(["share", "team"]),
            st.sampled_from([*WHOS, "Role::dev"]),
            st.sampled_from(["Folder::src", "File::b"]),
        ),
        st.builds(lambda name: {"revoke": name}, st.sampled_from(["g0", "g1"])),
        st.builds(lambda text: {"policies": {"put": {"p": text}}}, texts),
        st.just({"policies": {"drop": ["p"]}}),
        st.builds(
            lambda role, level: {"entities": [edge.entity("User::bob", f"Role::{role}", level=level)]},
            st.sampled_from(["dev", "staff"]),
            st.integers(0, 4),
        ),
        st.sampled_from([None, {"at": 3}, edge.ask("read", "User::\ud800")]),
    )


BATCHES = st.lists(st.one_of(requests(), requests(), requests(), events()), max_size=25)


# ---- as if one came after the other ---------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(items=BATCHES, cuts=st.lists(st.integers(0, 25), max_size=4))
def test_a_batch_split_anywhere_answers_as_a_sequence(items: list[Any], cuts: list[int]) -> None:
    one_by_one, at_once, in_parts = service(lever.baseline), service(lever.candidate), service(lever.candidate)
    steps = [answer(one_by_one, item) for item in items]
    expected = [found["answers"][0] for found in steps]
    state = answer(one_by_one)["state"]
    assert answer(at_once, *items) == {"answers": expected, "state": state}
    bounds = [0, *sorted(min(cut, len(items)) for cut in cuts), len(items)]
    parts = [answer(in_parts, *items[start:end]) for start, end in itertools.pairwise(bounds)]
    assert [found for part in parts for found in part["answers"]] == expected
    # The full state after every part, not only at the end: a wrong count may be made good later.
    assert [part["state"] for part in parts] == [steps[end - 1]["state"] if end else [] for end in bounds[1:]]


@settings(max_examples=40, deadline=None)
@given(items=st.lists(requests(), max_size=25), seed=st.integers(0, 2**32))
def test_the_order_across_independent_keys_does_not_matter(items: list[Any], seed: int) -> None:
    histories: dict[Any, list[int]] = {}
    for at, item in enumerate(items):
        histories.setdefault((item["action"]["id"], item["principal"]["id"]), []).append(at)
    turns = [key for key, places in histories.items() for _ in places]
    random.Random(seed).shuffle(turns)
    left = {key: iter(places) for key, places in histories.items()}
    order = [next(left[key]) for key in turns]
    straight, shuffled = service(lever.candidate), service(lever.candidate)
    expected, found = answer(straight, *items), answer(shuffled, *(items[at] for at in order))
    assert found["answers"] == [expected["answers"][at] for at in order]
    assert found["state"] == expected["state"]


@pytest.mark.parametrize(("variant", "allowed"), [("baseline", 15), ("candidate", 15), ("ignores_state", 30)])
def test_a_quota_of_fifteen_and_a_batch_of_thirty(variant: str, allowed: int) -> None:
    found = answer(service(getattr(lever, variant)), *[edge.ask("read")] * 30)["answers"]
    assert Counter(each["decision"] for each in found)["Allow"] == allowed


@pytest.mark.parametrize("changes", [{}, {"stateful_percent": 60}, {"one_key": True}, {"update_every": 1}])
def test_traffic_in_lockstep(changes: dict[str, Any]) -> None:
    params = {**MIXED, **changes}
    one, other = (variant.Subject(params, Path()) for variant in (lever.baseline, lever.candidate))
    for operation in itertools.islice(lever.workload.operations(params, 7), 8):
        assert answer(one, *operation["items"]) == answer(other, *operation["items"])


def test_a_baseline_that_holds_all_entities_answers_the_same() -> None:
    one, other = (lever.baseline.Subject({**MIXED, "holds": holds}, Path()) for holds in ("snapshot", "text"))
    for operation in itertools.islice(lever.workload.operations(MIXED, 8), 3):
        assert answer(one, *operation["items"]) == answer(other, *operation["items"])


# ---- waves ----------------------------------------------------------------------------------------------


def _waves(items: Sequence[Any]) -> Any:
    counters = service(lever.candidate).counters
    places = [(at, lever.service.parsed(item)) for at, item in enumerate(items)]
    return lever.candidate.waves(places, counters.keys), counters


@settings(deadline=None)
@given(items=st.lists(requests(), max_size=30))
def test_no_wave_has_a_key_twice_and_each_key_keeps_its_order(items: list[Any]) -> None:
    waves, counters = _waves(items)
    by_key: dict[Any, list[int]] = {}
    for wave in waves:
        keys = [key for _, request in wave for key in counters.keys(request)]
        assert len(keys) == len(set(keys))
        for at, request in wave:
            for key in counters.keys(request):
                by_key.setdefault(key, []).append(at)
    assert all(places == sorted(places) for places in by_key.values())
    assert sorted(at for wave in waves for at, _ in wave) == list(range(len(items)))


def test_one_key_is_sequential_and_no_key_is_one_wave() -> None:
    assert [len(wave) for wave in _waves([edge.ask("read")] * 7)[0]] == [1] * 7
    assert [len(wave) for wave in _waves([edge.ask("write")] * 7)[0]] == [7]
    assert [len(wave) for wave in _waves([edge.ask("read", who) for who in WHOS] * 2)[0]] == [4, 4]
    assert _waves([])[0] == []


# ---- slices ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policies", [10, 100, 1000])
def test_slices_decide_as_the_whole_set_does(policies: int) -> None:
    subject = lever.candidate.Subject({"policies": policies}, Path())
    whole = lever.engine.policy_set(subject.policies.document(subject.policies.all()))
    rng = random.Random(policies)
    entities = [tuple(entity["uid"].values()) for entity in lever.world.of({"policies": policies})["entities"]]
    actions = [("Action", action.name) for action in lever.rulebook.ACTIONS]
    for _ in range(150):
        context = {"hour": rng.randrange(24), "mfa": rng.random() < 0.5, "network": "guest", "failures": 1}
        ask = lever.engine.Ask(rng.choice(entities), rng.choice(actions), rng.choice(entities), context)
        kind = lever.slicing.RequestKind(ask.action, ask.principal[0], ask.resource[0])
        part = lever.engine.decide(ask, subject._slices.of(kind), subject._snapshot)
        assert part == lever.engine.decide(ask, whole, subject._snapshot)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the candidate asked the engine, and how often it built a slice."""
    counted: Counter[str] = Counter()

    def count(module: Any, name: str) -> None:
        real: Callable[..., Any] = getattr(module, name)

        def counting(*args: Any) -> Any:
            counted[name] += 1
            return real(*args)

        monkeypatch.setattr(module, name, counting)

    count(lever.candidate, "decide_all")
    count(lever.slicing, "policy_set")
    return counted


def test_a_wave_asks_the_engine_once_for_each_kind_of_request(calls: Counter[str]) -> None:
    answer(service(lever.candidate), *[edge.ask("write")] * 20, *[edge.ask("fly", "Extension::lint")] * 20)
    assert calls == {"decide_all": 2, "policy_set": 2}


def test_a_slice_is_built_again_only_where_a_policy_of_it_changed(calls: Counter[str]) -> None:
    subject = service(lever.candidate)
    both = [edge.ask("write"), edge.ask("fly")]
    answer(subject, *both, *both)
    assert calls["policy_set"] == 2
    answer(subject, edge.grant("g1", "share", "User::ann", "Folder::src"), *both, {"revoke": "g1"}, *both)
    answer(subject, {"entities": [edge.entity("User::bob", "Role::staff", level=2)]}, *both)
    assert calls["policy_set"] == 2
    answer(subject, {"policies": {"put": {"fly": 'permit(principal, action == Action::"fly", resource);'}}}, *both)
    assert calls["policy_set"] == 3
    answer(subject, {"entities": [edge.entity("Action::fly", "Action::all")]}, *both)
    assert calls["policy_set"] == 5


def test_unheard_of_actions_do_not_fill_the_memory() -> None:
    subject = service(lever.candidate)
    answer(subject, *(edge.ask(f"a{number}") for number in range(600)))
    assert len(subject._slices._held) <= lever.slicing.MAX_SLICES


# ---- the engine and the counters ------------------------------------------------------------------------


def test_a_request_that_ends_the_engines_call_spoils_no_other() -> None:
    ask = lever.engine.Ask(("User", "ann"), ("Action", "read"), ("File", "a"), {})
    whole = lever.engine.policy_set(json.dumps({"templates": {}, "staticPolicies": {}, "templateLinks": []}))
    found = lever.engine.decide_all([ask, ask._replace(principal=("User", "\ud800")), ask], whole, "[]")
    assert [decision.outcome for decision in found] == ["Deny", "NoDecision", "Deny"]


def test_reasons_and_errors_come_in_one_order() -> None:
    policies = {f"p{number}": "permit(principal, action, resource);" for number in range(20)}
    policies |= {f"e{number}": "permit(principal, action, resource) when { context.x };" for number in range(20)}
    [found] = answer(service(lever.candidate, {"policies": policies}), edge.ask("read"))["answers"]
    assert found["reasons"] == sorted(found["reasons"])
    assert found["errors"] == sorted(found["errors"])
    assert len(found["reasons"]) == len(found["errors"]) == 20


@given(times=st.lists(st.integers(0, 10_000), max_size=60), capacity=st.integers(1, 5), refill=st.integers(1, 2000))
def test_a_bucket_never_gives_more_than_it_had_and_got_back(times: list[int], capacity: int, refill: int) -> None:
    bucket, value, allowed = lever.state.Bucket(capacity, refill), None, 0
    for at in times:
        tokens = bucket.read(value, at)
        assert 0 <= tokens <= capacity
        allowed += tokens > 0
        value = bucket.write(value, at, allowed=tokens > 0)
    span = max(times) - times[0] if times else 0
    assert allowed <= capacity + span // refill


# ---- the world and its traffic --------------------------------------------------------------------------


@pytest.mark.parametrize("count", [10, 100, 1000])
def test_generated_policies_and_entities_conform_to_the_schema(count: int) -> None:
    world = lever.world.of({"policies": count})
    assert len(world["policies"]) + len(world["grants"]) == count
    text = "\n".join([*world["policies"].values(), *world["templates"].values()])
    found = cedarpy.validate_policies(text, lever.world.SCHEMA)
    assert found.validation_passed, [str(error) for error in found.errors]
    entities = [entity for entity in world["entities"] if entity["uid"]["type"] != "Action"]
    cedarpy.Entities.from_json_str(json.dumps(entities), lever.world.SCHEMA)
    # Action entities that a schema gives are those that the world gives.
    cedarpy.Entities.from_json_str(json.dumps(world["entities"]), lever.world.SCHEMA)


def test_published_changes_conform_to_the_schema() -> None:
    params = {**MIXED, "batch": 1, "update_every": 1}
    items = [item for operation in itertools.islice(lever.workload.operations(params, 3), 60)
             for item in operation["items"]]  # fmt: skip
    texts = [text for item in items for text in item.get("policies", {}).get("put", {}).values()]
    assert texts
    found = cedarpy.validate_policies("\n".join(texts), lever.world.SCHEMA)
    assert found.validation_passed, [str(error) for error in found.errors]
    for item in items:
        cedarpy.Entities.from_json_str(json.dumps(item.get("entities", [])), lever.world.SCHEMA)


def test_traffic_depends_on_its_seed_and_repeats_nothing() -> None:
    def first(seed: int) -> list[Any]:
        return list(itertools.islice(lever.workload.operations(MIXED, seed), 5))

    assert first(1) == first(1)
    assert first(1) != first(2)
    seen = [json.dumps(item) for operation in first(1) for item in operation["items"]]
    assert len(seen) == len(set(seen))


def test_traffic_is_that_of_a_host() -> None:
    subject = lever.candidate.Subject(MIXED, Path())
    operations = list(itertools.islice(lever.workload.operations(MIXED, 4), 24))
    answers = [found for operation in operations for found in answer(subject, *operation["items"])["answers"]]
    decisions = Counter(found["decision"] for found in answers if "decision" in found)
    total = sum(decisions.values())
    assert 0.5 < decisions["Allow"] / total < 0.9
    assert not any("refused" in found for found in answers)
    counted = sum(bool(found.get("state")) for found in answers)
    assert 0.08 < counted / total < 0.16
    changes = Counter(
        name for operation in operations for item in operation["items"] for name in item if "at" not in item
    )
    assert changes == {"grant": 12, "revoke": 12, "policies": 3, "entities": 3}
