"""What differs between two runs of the same runtime, and the words that stand for it in a canonical string.

A pure function of the string, so equal strings have equal canonical forms. It takes out as little as it can: times
from 2024 to 2099 (no fixture has a date in those years), `pid N`, the path of a sandbox `lockstep-XXXXXXXX`, and
random (version 4) UUIDs. All else in a string, absolute paths of other folders included, is behaviour.
"""

import re

PATTERNS = {
    "time": re.compile(r"20(?:2[4-9]|[3-9]\d)-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", re.ASCII),
    "sandbox": re.compile(r"(?:file://)?(?:/[\w.~-]+)*/lockstep-[\w-]{8}", re.ASCII),
    "uuid": re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b", re.ASCII),
    "pid": re.compile(r"\bpid \d+", re.ASCII),
}
_time, _sandbox, _uuid, _pid = (pattern.sub for pattern in PATTERNS.values())


def canonical_text(text: str) -> str:
    """The string without what differs between runs; most strings hold none of it, which costs next to nothing."""
    if "-" in text:
        if "20" in text and ":" in text:
            text = _time("<time>", text)
        if "/lockstep-" in text:
            text = _sandbox("<sandbox>", text)
        if "-4" in text:
            text = _uuid("<uuid>", text)
    return _pid("<pid>", text) if "pid " in text else text
