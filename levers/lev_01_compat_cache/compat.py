"""Facts joined with what runtimes offer: tables, bands, modes and the report.

Facts say what a module uses and depend on its bytes alone. Everything that can change without the source
changing (a table, the targets, a band, the mode) is joined here, when the report is made.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import project

TABLES = Path(__file__).resolve().parent / "tables"
TARGETS = ("node-24.19.0", "deno-2.9.8", "bun-1.4.5")

CORE = ("fs", "path", "process", "buffer", "events", "stream", "module", "console", "util")
HIGH_VALUE = ("http", "https", "crypto", "child_process", "timers", "url", "dns", "net", "zlib", "os")
BANDS = {**dict.fromkeys(CORE, "core"), **dict.fromkeys(HIGH_VALUE, "high-value"), "vm": "unsafe"}
"""Module family to band; any other family is `edge`."""

UNSAFE = {
    ("process", "binding"), ("process", "dlopen"), ("child_process", "exec"), ("child_process", "execSync"),
    ("globals", "eval"), ("globals", "Function"),
}  # fmt: skip
GLOBAL_FAMILIES = {
    "Buffer": "buffer", "process": "process", "console": "console",
    "setImmediate": "timers", "clearImmediate": "timers", "setTimeout": "timers", "clearTimeout": "timers",
    "setInterval": "timers", "clearInterval": "timers", "queueMicrotask": "timers",
    "URL": "url", "URLSearchParams": "url", "crypto": "crypto",
}  # fmt: skip
MODES = ("strict", "balanced", "legacy-risky")
INHERITED = {
    "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString", "toString", "valueOf",
    "constructor", "prototype", "call", "apply", "bind", "length", "name",
}  # fmt: skip
"""What every object or function has: using it is using what it is on."""


def table_digest(modules: Mapping[str, Mapping[str, str]]) -> str:
    """Lower-case hex sha256 over the modules of a table, independent of how its file is laid out."""
    text = json.dumps(modules, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


@cache
def load_table(target: str) -> dict[str, dict[str, str]]:
    """The recorded modules of `runtime-version`.

    Raises:
        ValueError: there is no such table, or its file was edited.
    """
    path = TABLES / f"{target}.json"
    if target not in {known.stem for known in TABLES.glob("*.json")}:
        raise ValueError(f"no recorded table for {target!r}; record it with record_tables.py")
    table = json.loads(path.read_bytes())
    if table_digest(table["modules"]) != table["sha256"]:
        raise ValueError(f"{path} is not what was recorded; record it again with record_tables.py")
    modules: dict[str, dict[str, str]] = table["modules"]
    return modules


def severity(mode: str, band: str, status: str) -> str:
    """How much a finding matters: `ok`, `warn` or `error`; `strict` forgives least, `legacy-risky` most."""
    missing = status.startswith("missing")
    if mode == "strict":
        return "error" if missing or band == "unsafe" else "warn" if status == "differs" else "ok"
    if mode == "balanced":
        if missing:
            return "warn" if band == "edge" else "error"
        return "warn" if band == "unsafe" else "ok"
    return "warn" if missing else "ok"


class Join:
    """What a use means under the settings of one check; each distinct use is worked out once.

    Settings, all optional: `mode`, `targets`, `bands` (family to band), `withdrawn` (per target, the
    `module` or `module.member` entries that it no longer has).
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.mode: str = settings.get("mode", "balanced")
        self.targets: list[str] = list(settings.get("targets", TARGETS))
        if self.mode not in MODES:
            raise ValueError(f"unknown mode {self.mode!r}; one of {', '.join(MODES)}")
        self._bands: Mapping[str, str] = {**BANDS, **settings.get("bands", {})}
        self._withdrawn: Mapping[str, list[str]] = settings.get("withdrawn", {})
        self._tables = [load_table(target) for target in self.targets]
        self._known: dict[tuple[str, str], list[str]] = {}

    def finding(self, line: int, module: str, path: str) -> list[Any]:
        """`[line, module, member, band, status, severity]` for one use."""
        known = self._known.get((module, path))
        if known is None:
            known = self._known[module, path] = self._work_out(module, path)
        return [line, module, *known]

    def _work_out(self, module: str, path: str) -> list[str]:
        member = self._member(module, path)
        band, status = self._band(module, member), self._status(module, member)
        return [member, band, status, severity(self.mode, band, status)]

    def _member(self, module: str, path: str) -> str:
        """The part of a member path that tables can speak about: `readFile.bind` is `readFile`.

        Behind a namespace whose members are recorded, an unknown name is a missing member.
        """
        parts = path.split(".")
        for size in range(len(parts), 0, -1):
            name = ".".join(parts[:size])
            kinds = {table.get(module, {}).get(name) for table in self._tables} - {None}
            if kinds:
                further = size < len(parts) and "namespace" in kinds and parts[size] not in INHERITED
                return f"{name}.{parts[size]}" if further else name
        return "" if parts[0] in INHERITED else parts[0]

    def _band(self, module: str, member: str) -> str:
        if (module, member) in UNSAFE:
            return "unsafe"
        family = GLOBAL_FAMILIES.get(member.partition(".")[0], "globals") if module == "globals" else module
        return self._bands.get(family.removeprefix("node:").partition("/")[0], "edge")

    def _status(self, module: str, member: str) -> str:
        offered = [self._offered(index, module, member) for index in range(len(self.targets))]
        missing = [target for target, kind in zip(self.targets, offered, strict=True) if kind is None]
        if missing:
            return "missing:" + ",".join(missing)
        return "ok" if len(set(offered)) == 1 else "differs"

    def _offered(self, index: int, module: str, member: str) -> str | None:
        withdrawn = self._withdrawn.get(self.targets[index], ())
        if module in withdrawn or f"{module}.{member}" in withdrawn:
            return None
        entries = self._tables[index].get(module)
        if not member:
            return None if entries is None else "module"
        return (entries or {}).get(member)


def check(
    root: Path, settings: Mapping[str, Any], facts_of: Callable[[project.Module], project.Facts]
) -> dict[str, Any]:
    """The report of one check of the project under `root`; `facts_of` is what the two variants differ in.

    `modules` holds `[name, flags, findings]` for every file, in order of path.
    """
    join = Join(settings)
    rows: list[list[Any]] = []
    counts = {"ok": 0, "warn": 0, "error": 0}
    for module in project.modules(bytes(root)):
        flags, uses = facts_of(module) if module.data is not None else ([module.flag], [])
        findings = [join.finding(*use) for use in uses]
        for finding in findings:
            counts[finding[5]] += 1
        rows.append([project.display_name(module.path), flags, findings])
    return {"mode": join.mode, "targets": join.targets, "files": len(rows), "counts": counts, "modules": rows}
