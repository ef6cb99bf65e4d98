"""docs/reliability.json -> docs/reliability.md, the same bytes every time."""

from collections.abc import Iterator, Mapping
from typing import Any

COMMAND = "make reliability"
_HEAD = f"""# Reliability, measured

`{COMMAND}` wrote this page and [reliability.json](reliability.json) beside it; a test holds them together. What the
tries are, and which test shows each case by its name, stands in [tests/faults](../tests/faults/README.md).

"""
_THINNED = "Not every try was made this time: below each table stands which share of them.\n\n"
_SURVIVED = """*Survived* means: it ended well, or with a message that says what to do; every sample that was
recorded is still in the local bundle or in the store; the same command again finished the work or refused it with the
reason; a bundle that showed as committed was whole; and the bundle audited clean.

"""
_TITLES = {
    "crashes": "Crashes and disks",
    "server faults": "S3 servers",
    "call faults": "Stores",
    "tampering": "Tampering",
    "archive": "Auditing an archive",
    "listing": "Listing an archive",
    "cheats": "Candidates that cheat",
    "prefect": "What dies under Prefect",
}
_TEXTS = {
    "crashes": """A run from its first key to its archived bundle, disturbed at each place where something becomes
durable. The places are found by crossing them.""",
    "server faults": "A bundle sent and brought back by boto3, each fault at each request, once and from then on.",
    "call faults": "A bundle sent and brought back, each fault at each call of the store's interface.",
    "tampering": """A valid signed bundle, changed; every change has to be refused by a check with a name. The auditor
trusts the key that signed it.""",
    "archive": """`prfpipe audit --archive`: whole signed bundles of five levers, every signature, file, statistic and
verdict again, in one process.""",
    "listing": """`prfpipe bundles` in a process of its own; three objects a bundle. Memory is the peak of the whole
process, or of the one that started it if that was larger.""",
    "cheats": "Lever folders that try to be adopted without being better, through the whole loop.",
    "prefect": """kill -9 in the middle of a stage of a small lever, on a real server with a real worker. *Both* is the
worker with the process of the flow. A killed worker is started again at once, a killed server after five seconds.
Seconds count from the kill: until the run had ended, as the server tells it, and until there was a verdict in the
store, by resuming where that was needed. *Invocations before* were on the disk when it was killed; *lost* are those of
them that the audited bundle does not have.""",
}


def render(document: Mapping[str, Any]) -> str:
    """The page."""
    parts = "".join(_part(name, document["parts"][name]) for name in _TITLES if name in document["parts"])
    thinned = _THINNED if any(part["every"] > 1 for part in document["parts"].values()) else ""
    return _HEAD + "\n".join(_summary(document)) + "\n\n" + thinned + _SURVIVED + parts


def _summary(document: Mapping[str, Any]) -> Iterator[str]:
    parts = document["parts"]
    faults = [row for name in ("crashes", "server faults", "call faults") for row in _rows(parts, name)]
    tampered = _rows(parts, "tampering")
    cheats = [row for row in _rows(parts, "cheats") if row["caught"] != "honest"]
    yield "| | tried | held | lost samples |"
    yield "|---|---:|---:|---:|"
    yield f"| faults injected | {_sum(faults, 'tried')} | {_sum(faults, 'survived')} | {_sum(faults, 'lost')} |"
    yield f"| mutations of a bundle | {_sum(tampered, 'tried')} | {_sum(tampered, 'refused')} | |"
    if kills := _rows(parts, "prefect"):
        held = sum(not row["failed"] for row in kills)
        yield f"| kills under Prefect | {len(kills)} | {held} | {_sum(kills, 'lost')} |"
    if cheats:
        yield f"| candidates that cheat | {len(cheats)} | {sum(bool(row['caught']) for row in cheats)} | |"


def _rows(parts: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    return list(parts[name]["rows"]) if name in parts else []


def _sum(rows: list[dict[str, Any]], column: str) -> str:
    return _shown(sum(row[column] for row in rows))


def _part(name: str, part: Mapping[str, Any]) -> str:
    note = [part["note"], ""] if "note" in part else []
    lines = [*_table(part["rows"]), "", *note, _made(name, part), "", *_failures(part["rows"])]
    return f"## {_TITLES[name]}\n\n{_TEXTS[name]}\n\n" + "\n".join(lines) + "\n"


def _table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """All columns but what is told in words below the table."""
    columns = [column for column in rows[0] if column not in {"failed", "by"}]
    yield "| " + " | ".join(column.replace("_", " ").replace("mib", "MiB") for column in columns) + " |"
    yield "|" + "|".join("---" if isinstance(rows[0][column], str) else "---:" for column in columns) + "|"
    for row in rows:
        yield "| " + " | ".join(_shown(row[column]) for column in columns) + " |"


def _made(name: str, part: Mapping[str, Any]) -> str:
    host, thinned = part["host"], f" (one try in {part['every']})" if part["every"] > 1 else ""
    cpus = f"{host['cpus']} CPU{'s' * (host['cpus'] > 1)} ({host['cpu_model']})"
    return (
        f"{_refused_by(part['rows'])}{part['date']}, {part['seconds']:.0f} s{thinned}, {cpus}, {host['os']}, "
        f"{host['python']}. Again: `{COMMAND} PARTS={_words(name, part['every'])}`."
    )


def _words(name: str, every: int) -> str:
    """What the command is told to make this part again as it was made."""
    part = name.replace(" ", "-")
    return f'"{part} --every {every}"' if every > 1 else part


def _refused_by(rows: list[dict[str, Any]]) -> str:
    found: dict[str, int] = {}
    for row in rows:
        for check, count in row.get("by", {}).items():
            found[check] = found.get(check, 0) + count
    told = ", ".join(f"`{check}` {_shown(count)}" for check, count in sorted(found.items(), key=lambda item: -item[1]))
    return f"Refused first by: {told}.\n\n" if told else ""


def _failures(rows: list[dict[str, Any]]) -> Iterator[str]:
    failed = [line for row in rows for line in row.get("failed", ())]
    if failed:
        yield "**Not survived:**"
        yield ""
        yield from (f"- {line}" for line in failed[:20])
        yield ""


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
