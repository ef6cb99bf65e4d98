"""Named batches on small handmade worlds: each way in which a batch could answer other than a sequence does.

The baseline answers one item after the other, so it is what the candidate is held against. Each case begins with an
event that loads its world, whatever the scenario's own world is.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Operation = dict[str, Any]
Case = tuple[str, list[Operation]]
Item = Any

OPEN = {"open": "permit(principal, action, resource);"}
QUOTA = {
    "reads": 'permit(principal, action in Action::"files", resource);',
    "quota": 'forbid(principal, action == Action::"read", resource) when { context.used >= 15 };',
}
USED = {"used": {"kind": "quota", "window_ms": 60_000, "actions": ["read"], "per": "principal"}}
PIN = {
    "pin": 'permit(principal, action == Action::"unlock", resource) when { context.pin };',
    "lock-out": 'forbid(principal, action == Action::"unlock", resource) when { context.failures >= 5 };',
}
FAILURES = {"failures": {"kind": "attempts", "forget_ms": 10_000, "actions": ["unlock"], "per": "principal"}}
RATE = {
    "connect": 'permit(principal, action == Action::"connect", resource);',
    "rate": 'forbid(principal, action == Action::"connect", resource) when { context.tokens < 1 };',
}
TOKENS = {"tokens": {"kind": "bucket", "capacity": 3, "refill_ms": 1000, "actions": ["connect"], "per": "principal"}}
TEMPLATES = {
    "share": 'permit(principal == ?principal, action in Action::"files", resource in ?resource);',
    "team": 'permit(principal is User in ?principal, action == Action::"read", resource is File in ?resource);',
    "ban": "forbid(principal in ?principal, action, resource) when { context.mfa };",
}


def cases() -> Iterator[Case]:
    """Names with sequences of operations; each sequence meets a fresh pair of services."""
    return itertools.chain(_batches(), _state(), _orders(), _bad_items(), _scopes(), _changes(), _refusals(), _reach())


def op(*items: Item) -> Operation:
    """One batch."""
    return {"items": list(items)}


def load(policies: Mapping[str, str], **more: Any) -> Item:
    """The event that starts over with these policies, on the small world of this file."""
    return {"load": {"policies": policies, "templates": TEMPLATES, "entities": entities(), **more}}


def ask(action: str, who: str = "User::ann", what: str = "File::a", at: int = 0, **context: Any) -> Item:
    """One request; names are `Type::id`."""
    return {
        "at": at,
        "principal": uid(who),
        "action": uid(f"Action::{action}"),
        "resource": uid(what),
        "context": context,
    }


def uid(name: str) -> dict[str, str]:
    """`Type::id` as JSON; the type may have a namespace."""
    kind, _, own = name.rpartition("::")
    return {"type": kind, "id": own}


def entity(name: str, *parents: str, **attributes: Any) -> dict[str, Any]:
    """One entity; references in `attributes` are made by `ref`."""
    return {"uid": uid(name), "attrs": attributes, "parents": [uid(parent) for parent in parents]}


def ref(name: str) -> dict[str, Any]:
    """A reference to an entity as a value."""
    return {"__entity": uid(name)}


def grant(name: str, template: str, who: str, what: str = "") -> Item:
    """The event that links a template."""
    values = {"?principal": uid(who)} | ({"?resource": uid(what)} if what else {})
    return {"grant": {"id": name, "template": template, "values": values}}


def entities() -> list[dict[str, Any]]:
    """Two groups of actions above each other, roles and folders above each other, and who is in them."""
    return [
        entity("Action::files", "Action::all"),
        *(entity(f"Action::{name}", "Action::files") for name in ("read", "write")),
        *(entity(f"Action::{name}", "Action::all") for name in ("connect", "unlock")),
        entity("Action::all"),
        entity("Role::staff"),
        entity("Role::dev", "Role::staff"),
        entity("User::ann", "Role::dev", level=3),
        entity("User::bob", "Role::staff", level=1),
        entity("Extension::lint", "Role::staff", level=2, author=ref("User::ann")),
        entity("Folder::root"),
        entity("Folder::src", "Folder::root"),
        entity("File::a", "Folder::src", owner=ref("User::ann")),
        entity("File::b", "Folder::root", owner=ref("User::bob"), readers=[ref("User::ann")]),
    ]


def _batches() -> Iterator[Case]:
    start = op(load(OPEN))
    yield "a batch of none", [start, op(), op(ask("read")), op()]
    yield "a batch of one", [start, op(ask("read")), op(ask("write")), op(ask("read"))]
    mixed = [ask(action, who) for action in ("read", "write", "connect", "read") for who in ("User::ann", "User::bob")]
    yield "groups interleaved, answers in the order of the requests", [op(load(QUOTA, rules=USED)), op(*mixed * 3)]
    yield "the same request many times", [op(load(QUOTA, rules=USED)), op(*[ask("read")] * 20), op(ask("read"))]


def _state() -> Iterator[Case]:
    thirty = [ask("read", at=at) for at in range(30)]
    yield "a quota of fifteen, thirty requests", [op(load(QUOTA, rules=USED), *thirty), op(*thirty)]
    split = [thirty[at : at + size] for size in (1, 2, 7, 16) for at in range(0, 30, size)]
    again = [[load(QUOTA, rules=USED)] if items[0] == thirty[0] else [] for items in split]
    yield "a quota of fifteen, split anywhere", [op(*new, *items) for new, items in zip(again, split, strict=True)]
    pins = [ask("unlock", at=at, pin=at > 6) for at in range(12)]
    later = [ask("unlock", at=at, pin=True) for at in (10_500, 20_999, 31_000)]
    yield "a denial writes, until it locks out", [op(load(PIN, rules=FAILURES), *pins), op(*later)]
    one_less = [ask("unlock", at=at, pin=pin) for at, pin in enumerate([False] * 4 + [True] + [False] * 5 + [True])]
    yield "an allowed attempt ends the count", [op(load(PIN, rules=FAILURES), *one_less)]
    times = [0, 0, 0, 0, 999, 1000, 1000, 1999, 2000, 4000, 4001, 4002, 4003, 60_000, 60_000, 60_000, 60_000]
    refilled = [ask("connect", at=at) for at in times]
    yield "tokens come back with time", [op(load(RATE, rules=TOKENS), *refilled)]
    back = [ask("connect", at=at) for at in (5000, 4000, 3000, 5000, 0, 6000, 5999, 6000)]
    windows = [ask("read", at=at) for at in (59_999, 60_000, 59_999, 120_000, 0)]
    yield "times run backwards", [op(load(RATE | QUOTA, rules=TOKENS | USED), *back, *windows)]
    yield "the window of a quota ends", [op(load(QUOTA, rules=USED), *[ask("read", at=at * 4000) for at in range(40)])]
    for per in ("host", "resource"):
        rules = {"used": {**USED["used"], "per": per}}
        whos = [ask("read", who, what, at=1) for who in ("User::ann", "User::bob") for what in ("File::a", "File::b")]
        yield f"all on one key, per {per}", [op(load(QUOTA, rules=rules), *whos * 5), op(*whos)]


def _orders() -> Iterator[Case]:
    rules = {**USED, **TOKENS, "total": {**USED["used"], "actions": ["read", "connect"], "per": "host"}}
    policies = QUOTA | RATE | {"total": "forbid(principal, action, resource) when { context.total >= 18 };"}
    histories = [
        [ask(action, who, at=at * 100) for at in range(12)]
        for action in ("read", "connect")
        for who in ("User::ann", "User::bob", "Extension::lint")
    ]
    by_key = list(itertools.chain(*histories))
    in_turn = list(itertools.chain(*zip(*histories, strict=True)))
    for name, rules_of in (("independent keys", {**USED, **TOKENS}), ("keys that cross", rules)):
        orders = (by_key, in_turn, in_turn[::-1])
        yield f"{name} in three orders", [op(load(policies, rules=rules_of), *items) for items in orders]


def _bad_items() -> Iterator[Case]:
    good = ask("read")
    bad: list[Item] = [
        None, 7, "read", [], {}, {"at": 1}, {**good, "at": None}, {**good, "at": 1.5}, {**good, "at": True},
        {**good, "principal": None}, {**good, "principal": {"type": "User"}}, {**good, "principal": {"id": "ann"}},
        {**good, "action": 'Action::"read"'}, {**good, "resource": {"type": 1, "id": "a"}},
        {**good, "context": [1]}, {**good, "context": None}, {**good, "context": "{}"},
        {**good, "principal": {"type": "Us er", "id": "x"}}, {**good, "resource": {"type": "", "id": ""}},
        ask("read", "User::\ud800"), ask("read", what="File::\n\0"), ask("read", x=None), ask("read", x=1.5),
        ask("read", x=2**63), ask("read", x="\ud800"), ask("read", x={"__entity": {"type": "User"}}), {"unheard": 1},
    ]  # fmt: skip
    among = [item for each in bad for item in (each, good)]
    yield "malformed items among good ones", [op(load(QUOTA, rules=USED)), op(*among), op(bad[-2]), op(good)]
    yield "nothing but malformed items", [op(load(QUOTA, rules=USED)), op(*bad)]
    no_context = {key: value for key, value in good.items() if key != "context"}
    lacking = [ask("unlock"), no_context, ask("unlock", pin=True), ask("unlock", pin="yes"), ask("read", mfa=True)]
    needs = {"mfa": "permit(principal, action, resource) when { context.mfa };"}
    yield "missing context attributes", [op(load(PIN | needs, rules=FAILURES), *lacking * 2)]
    claims = [ask("read", used=0), ask("unlock", failures=0, pin=False)] * 16
    yield "a caller claims counts of its own", [op(load(QUOTA | PIN, rules=USED | FAILURES), *claims)]
    strange = [
        ask("fly"), ask("read", "User::eve"), ask("read", "Robot::r2"), ask("read", what="File::zzz"),
        ask("read", what="Planet::x"), ask("files"), ask("all"), {**good, "action": uid("App::Action::read")},
        {**good, "action": uid("User::read")},
    ]  # fmt: skip
    known = QUOTA | {"staff": 'permit(principal in Role::"staff", action, resource in Folder::"root");'}
    known |= {"fly": 'permit(principal, action == Action::"fly", resource);'}
    known |= {"robot": "permit(principal is Robot, action, resource is Planet);"}
    yield "unknown actions, principals, resources and types", [op(load(known, rules=USED), *strange * 2)]
    banned = OPEN | {"locked": 'forbid(principal, action in Action::"files", resource);'}
    inside = {"entities": [entity("User::read", "Action::files")]}
    odd = {**good, "action": uid("User::read")}
    yield "an action of another type that is in a group", [op(load(banned), inside, odd)]
    many = [ask(f"a{at}", f"T{at % 3}::x") for at in range(300)]
    yield "more kinds of requests than slices are kept", [op(load(OPEN)), op(*many), op(*many[:3], ask("read"))]


def _scopes() -> Iterator[Case]:
    whos, whats = ("User::ann", "User::bob", "Extension::lint"), ("File::a", "File::b", "Folder::src")
    everything = [
        ask(action, who, what, mfa=True)
        for action in ("read", "write", "connect", "files")
        for who in whos
        for what in whats
    ]
    principals = ["", '== User::"ann"', 'in Role::"staff"', 'in User::"bob"', "is Extension", 'is User in Role::"dev"']
    actions = ["", '== Action::"read"', 'in Action::"all"', 'in Action::"read"', 'in [Action::"files"]', "in []"]
    resources = ["", '== File::"a"', 'in Folder::"root"', "is File", 'is File in Folder::"src"']
    scopes = {
        f"p{number}": f"permit(principal {who}, action {action}, resource {what});"
        for number, (who, action, what) in enumerate(itertools.product(principals, actions, resources))
    }
    yield "every form of scope", [op(load(scopes), *everything)]
    forbids = OPEN | {
        "all": "forbid(principal, action, resource) when { context.mfa };",
        "group": 'forbid(principal, action in Action::"all", resource in Folder::"src");',
    }
    yield "forbids without a scope and by group", [op(load(forbids), *everything, *[ask("read"), ask("connect")])]
    one = [op(load({"group": 'permit(principal, action in Action::"all", resource);'}), ask("read"), ask("write"))]
    yield "a group of actions two levels up", one
    errors = OPEN | {
        "permit": "permit(principal, action, resource) when { context.nothing };",
        "forbid": 'forbid(principal, action, resource) when { principal.level > 2 && context.n == "x" };',
        "sum": "permit(principal, action, resource) when { 9223372036854775807 + principal.level > 0 };",
        "other": 'permit(principal, action == Action::"write", resource) when { context.nothing };',
    }
    yield "policies that fail", [op(load(errors), *everything, ask("read", "User::eve"))]


def _changes() -> Iterator[Case]:
    given = [grant("g1", "share", "User::ann", "Folder::src"), grant("g2", "team", "Role::dev", "Folder::src")]
    tries = [ask("read"), ask("write"), ask("read", "User::bob"), ask("read", "Extension::lint"), ask("read", mfa=True)]
    ban = [grant("g3", "ban", "Role::staff"), *tries, {"revoke": "g3"}]
    steps = [*tries, given[0], *tries, {"revoke": "g1"}, *tries, *given, *tries, {"revoke": "g2"}, *ban, *tries]
    yield "granted and revoked in mid-batch", [op(load({}), *steps), op(*tries, *steps[5:])]
    splits = [[op(load({}), *steps[:at]), op(*steps[at:])] for at in range(0, len(steps), 4)]
    yield "granted and revoked, split anywhere", list(itertools.chain(*splits))
    counted = [ask("read", at=at) for at in range(10)]
    revoked = [given[0], *counted, {"revoke": "g1"}, *counted, given[0], *counted]
    rule = {"q": QUOTA["quota"]}
    yield "a revocation between requests of one key", [op(load(rule, rules=USED), *revoked)]
    closed = {"policies": {"put": {"no": 'forbid(principal, action == Action::"read", resource);'}}}
    opened = {"policies": {"drop": ["no"]}}
    narrowed = {"policies": {"put": {"no": 'forbid(principal, action == Action::"write", resource);'}}}
    both = {"policies": {"put": {"no": "forbid(principal, action, resource) when { context.mfa };"}, "drop": ["open"]}}
    put = [*tries, closed, *tries, narrowed, *tries, opened, *tries, closed, opened, *tries, closed, both, *tries]
    yield "policies put, replaced and dropped in mid-batch", [op(load(OPEN), *put), op(*tries)]
    yield "another world in mid-batch", [op(load(QUOTA, rules=USED), *counted, load(PIN), *counted, load(OPEN), *tries)]


DEEP = " || ".join(f"context.n == {number}" for number in range(200))
"""Nests deeper in Cedar's JSON form than its reader goes."""


def _refusals() -> Iterator[Case]:
    tries = [ask("read"), ask("write")]
    two = "permit(principal, action, resource); permit(principal, action, resource);"
    bodies: Sequence[Item] = [
        {"put": {"x": "permit(principal"}}, {"put": {"x": two}}, {"put": {"x": ""}},
        {"put": {"x": TEMPLATES["ban"]}}, {"put": {"share": OPEN["open"]}}, {"put": {"g1": OPEN["open"]}},
        {"drop": ["nobody"]}, {"drop": ["g1"]}, {"put": {"x": OPEN["open"]}, "drop": ["open", "share"]},
    ]  # fmt: skip
    refused: list[Item] = [{"policies": body} for body in bodies]
    refused += [{"revoke": "open"}, {"revoke": "nobody"}, grant("g1", "share", "User::ann", "File::a")]
    refused += [grant("open", "share", "User::ann", "File::a"), grant("x", "none", "User::ann", "File::a")]
    refused += [grant("x", "share", "User::ann"), grant("x", "ban", "User::ann", "File::a")]
    refused += [grant("x", "share", "Us er::x", "Folder::src"), {"policies": {"put": {"\ud800": OPEN["open"]}}}]
    refused += [{"policies": {"put": {"x": f"permit(principal, action, resource) when {{ {DEEP} }};"}}}]
    refused += [{"entities": [entity("Role::staff", "Role::dev")]}, {"entities": [{"uid": 3}]}, {"entities": [3]}]
    refused += [{"load": {"policies": {"x": "nonsense"}}}, load({"share": OPEN["open"]})]
    refused += [{"load": {"policies": OPEN, "templates": {"t": OPEN["open"]}}}]
    start = op(load(OPEN), grant("g1", "share", "User::ann", "Folder::src"))
    yield "changes that are refused change nothing", [start, op(*[item for bad in refused for item in (bad, *tries)])]


def _reach() -> Iterator[Case]:
    tries = [ask("read", who) for who in ("User::ann", "User::bob", "Extension::lint")]
    by_role = {"dev": 'permit(principal in Role::"dev", action in Action::"files", resource);'}
    joins = {"entities": [entity("Extension::lint", "Role::dev", level=9), entity("User::ann", level=0)]}
    regroups = {"entities": [entity("Action::read", "Action::all"), entity("Action::connect", "Action::files")]}
    fresh = {"entities": [entity("Robot::r2", "Role::dev")]}
    steps = [*tries, joins, *tries, regroups, *tries, ask("connect", "User::ann"), fresh, ask("write", "Robot::r2")]
    yield "entities and groups change in mid-batch", [op(load(by_role), *steps), op(*tries)]
    robot = ask("write", "Robot::r2")
    yield "a type enters the hierarchy", [op(load(by_role), robot, fresh, robot, ask("write", "Robot::c3"))]
    reads = {
        "owner": "permit(principal, action, resource) when { resource.owner.level > 2 };",
        "author": 'permit(principal is Extension, action, resource) when { principal.author in Role::"dev" };',
        "readers": "permit(principal, action, resource) when { resource.readers.contains(principal) };",
        "named": 'permit(principal, action, resource) when { User::"bob".level < principal.level };',
        "told": 'permit(principal, action, resource) when { context.by.who in Role::"dev" };',
    }
    asks = [ask(action, who, what) for action in ("read", "fly") for who in ("User::ann", "Extension::lint", "User::x")
            for what in ("File::a", "File::b")]  # fmt: skip
    told = [ask("read", by={"who": ref("User::bob")}), ask("read", by={"who": ref("User::ann"), "n": [1, [2]]})]
    knot = {"entities": [entity("File::a", owner=ref("File::b")), entity("File::b", owner=ref("File::a"))]}
    yield "attributes that lead to other entities", [op(load(reads), *asks, *told, knot, *asks)]
    level = {"entities": [entity("User::bob", "Role::staff", level=9)]}
    yield "an attribute changes, the hierarchy does not", [op(load(reads), *asks, level, *asks)]
