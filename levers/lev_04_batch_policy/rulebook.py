"""Policies of an extension host, made from a seed: as many as asked for, in the mix that such a host has.

A core is always there: the rules around state, the suspension of a principal, and what everybody may do. The rest
are permits and forbids by role or tier, action or group of actions, and folder, zone or vault, with a condition or two;
one in seven is a grant to one principal, which is a link of a template.
"""

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

GRANT_SHARE = 1 / 7


class Action(NamedTuple):
    """An action: its group, the type it acts on, and how often it is asked for, relative to the others."""

    name: str
    group: str
    resource: str
    weight: float


ACTIONS = (
    Action("readFile", "fileRead", "File", 30),
    Action("statFile", "fileRead", "File", 14),
    Action("listFolder", "fileRead", "Folder", 12),
    Action("watchFile", "fileRead", "File", 5),
    Action("writeFile", "fileWrite", "File", 10),
    Action("createFile", "fileWrite", "Folder", 4),
    Action("renameFile", "fileWrite", "File", 2),
    Action("deleteFile", "fileWrite", "File", 2),
    Action("connect", "network", "NetworkHost", 8),
    Action("resolveHost", "network", "NetworkHost", 6),
    Action("listen", "network", "NetworkHost", 1),
    Action("readSecret", "secrets", "Secret", 3),
    Action("unlockVault", "secrets", "Vault", 1.5),
    Action("listSecrets", "secrets", "Vault", 1),
    Action("rotateSecret", "secrets", "Secret", 0.5),
    Action("spawnProcess", "process", "File", 2),
)
GROUPS = {"files": "", "fileRead": "files", "fileWrite": "files", "network": "", "secrets": "", "process": ""}
"""Groups of actions and the group above each."""

CORE = {
    "suspended": "forbid(principal, action, resource) when { principal.suspended };",
    "secret-quota": 'forbid(principal, action == Action::"readSecret", resource) when { context.secretReads >= 15 };',
    "lock-out": """forbid(principal, action in [Action::"unlockVault", Action::"readSecret"], resource)
        when { context.failures >= 5 };""",
    "connect-rate": 'forbid(principal, action == Action::"connect", resource) when { context.tokens < 1 };',
    "unlock": 'permit(principal, action == Action::"unlockVault", resource) when { context.pinMatches };',
    "spawn-signed": """forbid(principal is Extension, action == Action::"spawnProcess", resource)
        unless { principal.signed && context.sandboxed };""",
    "workspace": """permit(principal, action in Action::"fileRead", resource in Folder::"1")
        when { context.sandboxed };""",
    "outbound": """permit(principal is Extension in Tier::"1", action in Action::"network", resource)
        when { resource.tls };""",
}

TEMPLATES = {
    "share-folder": """permit(principal == ?principal, action in Action::"fileRead", resource in ?resource)
        unless { principal.suspended };""",
    "host-access": """permit(principal == ?principal,
        action in [Action::"connect", Action::"resolveHost"], resource in ?resource) when { resource.tls };""",
    "secret-lease": """permit(principal == ?principal, action == Action::"readSecret", resource == ?resource)
        when { context.mfa };""",
}
_SLOTS = {"share-folder": ("Folder", 40), "host-access": ("Zone", 6), "secret-lease": ("Secret", 30)}

_CONTAINERS = {
    "fileRead": ("Folder", 40),
    "fileWrite": ("Folder", 40),
    "network": ("Zone", 6),
    "secrets": ("Vault", 6),
    "process": ("Folder", 40),
}
_FAMILIES = {"fileRead": 32, "fileWrite": 23, "network": 18, "secrets": 12, "process": 5, "any": 10}
_EVERYWHERE = (
    "context.hour >= 7 && context.hour < 20",
    "context.mfa",
    'context.network == "office" || context.network == "vpn"',
    'context.network != "guest"',
    "context.sandboxed",
)


def policies(rng: random.Random, count: int) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Static policies by id, and grants: `count` together."""
    granted = round(count * GRANT_SHARE)
    static = dict(CORE)
    for number in range(count - granted - len(CORE)):
        static[f"p{number}"] = policy(rng)
    return static, [grant(rng, f"g{number}") for number in range(granted)]


def policy(rng: random.Random) -> str:
    """The text of one static policy."""
    [family] = rng.choices(list(_FAMILIES), list(_FAMILIES.values()))
    who, facts = _principal(rng)
    if family == "any":
        body = f"({who}, action, resource) when {{ {rng.choice(_EVERYWHERE)} }};"
        return ("forbid" if rng.random() < 0.5 and 'network == "' in body else "permit") + body
    container, size = _CONTAINERS[family]
    where = f'resource in {container}::"{_skewed(rng, size)}"' if rng.random() < 0.85 else "resource"
    body = f"({who}, {_action(rng, family)}, {where})"
    if rng.random() < 0.12:
        return f"forbid{body} unless {{ {rng.choice(_EVERYWHERE)} }};"
    conditions = rng.sample([*_EVERYWHERE, *facts], rng.choice([0, 1, 1, 1, 2]))
    return f"permit{body}{''.join(f' when {{ {condition} }}' for condition in conditions)};"


def grant(rng: random.Random, name: str) -> dict[str, Any]:
    """A link of one of the templates to a principal and to what it may use."""
    template = rng.choice(list(TEMPLATES))
    kind, size = _SLOTS[template]
    who = {"type": "Extension", "id": str(_skewed(rng, 60))}
    if rng.random() < 0.3:
        who = {"type": "User", "id": str(_skewed(rng, 40))}
    values = {"?principal": who, "?resource": {"type": kind, "id": str(_skewed(rng, size))}}
    return {"id": name, "template": template, "values": values}


def _principal(rng: random.Random) -> tuple[str, Sequence[str]]:
    level = rng.randrange(4)
    role, tier = rng.randrange(8), rng.randrange(5)
    return rng.choice(
        [
            (f'principal in Role::"{role}"', ()),
            (f'principal is User in Role::"{role}"', (f"principal.clearance >= {level}",)),
            (f'principal in Tier::"{tier}"', ()),
            (f'principal is Extension in Tier::"{tier}"', (f"principal.trust >= {level}", "principal.signed")),
            ("principal is Extension", (f"principal.trust >= {level}", "principal.signed")),
        ]
    )


def _action(rng: random.Random, group: str) -> str:
    members = [action.name for action in ACTIONS if action.group == group]
    form = rng.choices(["one", "some", "group"], [50, 25, 25])[0]
    if form == "group":
        return f'action in Action::"{group}"'
    if form == "one" or len(members) == 1:
        return f'action == Action::"{rng.choice(members)}"'
    chosen = ", ".join(f'Action::"{name}"' for name in rng.sample(members, 2))
    return f"action in [{chosen}]"


def _skewed(rng: random.Random, size: int) -> int:
    """Small numbers more often than large ones, as with anything that people name."""
    return min(int(rng.paretovariate(0.6)) - 1, rng.randrange(size))
