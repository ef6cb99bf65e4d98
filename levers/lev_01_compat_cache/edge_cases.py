"""Named sequences of operations on small projects: each way in which a cache could change an answer.

The baseline analyses everything each time, so it is what the candidate is held against after every step.
"""

import random
from collections.abc import Iterator
from typing import Any

from compat import TARGETS
from project import BUDGET_BYTES

Operation = dict[str, Any]
Case = tuple[str, list[Operation]]

USES = "const fs = require('fs')\nfs.readFileSync('a')\n"
OTHER = "import { join } from 'node:path'\njoin('a', 'b')\nprocess.cwd()\n"
BROKEN = "const fs = require('fs')\nfs.readFileSync('a'\nfunction {\n"
TYPED = "import os = require('os')\nos.cpus()\n"
PROJECT = {"a.js": USES, "b.mjs": OTHER, "lib/c.ts": TYPED, "lib/d.js": BROKEN}
DAMAGES = (
    "delete", "empty", "truncate", "text", "foreign", "strict-foreign",
    "change-facts", "swap-rows", "numbers",
)  # fmt: skip
FLIPS = 40


def op(files: dict[str, Any], cache: str = "keep", **settings: Any) -> Operation:
    """One operation: the project is exactly `files`; `cache` is done to the cache before the check."""
    return {"files": files, "cache": cache, "settings": settings}


def cases() -> Iterator[Case]:
    """All edge cases, each a fresh pair of subjects."""
    yield from _contents()
    yield from _names_and_times()
    yield from _joins()
    yield from _damage()
    yield from _company()


def _contents() -> Iterator[Case]:
    yield "same bytes at two paths", [op({"a.js": USES, "b.js": USES}), op({"a.js": USES, "c.js": USES})]
    typed = "let size: number = 1\nconst fs = require('fs')\n"
    for order in (("js", "mjs", "ts", "tsx"), ("tsx", "ts", "js", "mjs")):
        steps = [op({f"a.{suffix}": typed}) for suffix in order]
        yield f"same bytes as .{', .'.join(order)}", steps
    # Without lengths, `ts` + `x = 1` and `tsx` + ` = 1` would be one key.
    yield "bytes that move between the fields of a key", [op({"a.ts": "x = 1\n"}), op({"a.tsx": " = 1\n"})]
    forms = {
        "crlf.js": USES.replace("\n", "\r\n"),
        "cr.js": USES.replace("\n", "\r"),
        "bom.js": {"hex": "efbbbf" + USES.encode().hex()},
        "latin1.js": {"hex": "2f2f20e9e8fc0a" + USES.encode().hex()},
        "utf16.js": {"hex": USES.encode("utf-16").hex()},
        "nul.js": "'\0'\n" + USES,
        "shebang.js": "#!/usr/bin/env node\n" + USES,
        "empty.js": "",
        "space.js": "\n\n",
    }
    steps = [op(forms), op(forms), op({**forms, "lf.js": USES})]
    yield "CRLF, CR, BOM, latin-1, UTF-16, NUL, shebang, empty", steps
    yield "a syntax error keeps its flag", [op({"a.js": BROKEN}), op({"a.js": BROKEN}), op({"a.js": USES})]
    line = "//" + "x" * 997 + "\n"
    fits = {"a.js": {"text": line, "repeat": BUDGET_BYTES // len(line)}, "b.js": USES}
    long = {"a.js": {"text": line, "repeat": BUDGET_BYTES // len(line) + 1}, "b.js": USES}
    yield "a file over the budget, then just within it", [op(long), op(fits), op(long)]
    yield "no modules at all", [op({}), op({"readme.md": "x"}), op({"a.js": USES}), op({})]


def _names_and_times() -> Iterator[Case]:
    old, new = "require('fs').open\n", "require('os').cpus\n"
    dated = [op({"a.js": {"text": text, "mtime": 1_000_000_000}}) for text in (old, new, old)]
    yield "content changed, size and time as before", dated
    touched = [op({"a.js": {"text": USES, "mtime": 1_000_000_000 + step}}) for step in range(3)]
    yield "touched without a change", touched
    yield "one changed among others", [op(PROJECT), op({**PROJECT, "a.js": USES + "fs.open\n"}), op(PROJECT)]
    yield "renamed, moved, deleted", [op(PROJECT), op({"z.js": USES, "lib/b.mjs": OTHER}), op({"z.js": USES})]
    yield "renamed in case only", [op({"a.js": USES}), op({"A.js": USES}), op({"A.js": USES, "a.js": OTHER})]
    swapped = [op({"a.js": USES, "b.js": OTHER}), op({"a.js": OTHER, "b.js": USES})]
    folders = [op({"x.js/a.js": USES}), op({"x.js": OTHER}), op({"x.js/a.js": USES})]
    yield "two files swap, a folder becomes a file", [*swapped, *folders]
    bytes_names = {"\\xff.js": USES, "\\\\xff.js": OTHER, "é.js": USES, "a b\\x0a.js": OTHER}
    yield "names that are not UTF-8", [op(bytes_names), op({**bytes_names, "\\xff.js": OTHER})]
    links = {"a.js": USES, "b.js": {"hardlink": "a.js"}, "c.js": {"symlink": "a.js"}}
    links |= {"d/up": {"symlink": ".."}}
    yield "hard links, symbolic links and a loop of them", [op(links), op({**links, "a.js": OTHER})]
    odd: dict[str, Any] = {"gone.js": {"symlink": "nowhere"}, "loop.js": {"symlink": "loop.js"}}
    odd |= {"pipe.js": {"pipe": True}, "dir.js": {"folder": True}, "a.js": USES}
    yield "what cannot be read", [op(odd), op({"gone.js": USES})]


def _joins() -> Iterator[Case]:
    files = {"a.js": "const cp = require('child_process')\ncp.exec('x')\nrequire('fs').readFileSync\nfetch\n"}
    modes = [op(files, mode=mode) for mode in ("balanced", "strict", "legacy-risky", "balanced")]
    yield "the mode changes", modes
    yield "the targets change", [op(files), op(files, targets=[TARGETS[1]]), op(files, targets=[]), op(files)]
    withdrawn = {target: ["fs.readFileSync", "child_process"] for target in TARGETS[:2]}
    yield "a table changes", [op(files), op(files, withdrawn=withdrawn), op(files)]
    yield "a band changes", [op(files), op(files, bands={"fs": "edge", "vm": "core"}), op(files)]


def _damage() -> Iterator[Case]:
    for kind in DAMAGES:
        yield f"cache damaged: {kind}", [op(PROJECT), op(PROJECT, kind), op(PROJECT)]
    rng = random.Random(20)
    flips = [op(PROJECT, f"flip:{rng.getrandbits(30)}") for _ in range(FLIPS)]
    yield "cache damaged: bits flipped", [op(PROJECT), *flips]


def _company() -> Iterator[Case]:
    grown = {**PROJECT, "e.js": OTHER + "process.exit()\n"}
    yield "another process holds the cache", [op(PROJECT), op(grown, "lock"), op(grown)]
    yield "another process is about to write", [op(PROJECT), op(grown, "reserve"), op(grown)]
    yield "a writer was killed in its transaction", [op(PROJECT), op(grown, "killed-writer"), op(PROJECT)]
    yield "no file can be made for the cache", [op(PROJECT, "folder"), op(grown), op(PROJECT, "unblock")]
    yield "no folder can be made for the cache", [op(PROJECT, "blocked"), op(grown)]
    full = [op(files, cache_pages=3) for files in (PROJECT, _many(40), _many(40))]
    yield "the disk is full", full
    evicting = [op(_many(count), cache_rows=8) for count in (6, 12, 7, 30, 12, 30)]
    yield "rows are evicted", [*evicting, op(PROJECT, cache_rows=0), op(PROJECT, cache_rows=0)]


def _many(count: int) -> dict[str, Any]:
    return {f"m{at}.js": f"{USES}const n{at} = {'1 + ' * 200}{at}\n" for at in range(count)}
