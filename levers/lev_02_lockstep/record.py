"""Record again what each runtime answers: `python record.py [NAME|PATH …]` writes recordings/*.

Without arguments the installed node and deno are recorded. Further runtimes are given by name or path: `node` of the
PATH as `/usr/bin/node`, Bun as the path of its program (`npm install --prefix DIR @oven/bun-linux-x64` brings one).
"""

import argparse
import json
import sys
from datetime import UTC, datetime

import fixtures
import recordings
import runtimes
import wire
from live import Live

LONGEST_SILENCE = 120.0


def answers(runtime: str, seed: int, count: int) -> list[bytes]:
    """What the runtime prints for the first `count` fixtures of `seed`, every line checked.

    Raises:
        recordings.RecordingError: it failed, or printed something that is not in the encoding.
    """
    stream = runtimes.live(runtime, seed, count, LONGEST_SILENCE)
    try:
        stream.start()
        found = [line for _, line in stream.lines()]
        account = stream.account(count)
    finally:
        stream.close()
    if account["status"] != "complete" or len(found) != count:
        raise recordings.RecordingError(f"{runtime}: {account['status']} after {len(found)} of {count} fixtures")
    for line in found:
        wire.parse(line)
    return [_header(stream, account["runtime"]), *found, b'["#end",%d]\n' % count]


def _header(stream: Live, runtime: str) -> bytes:
    parts = ["#begin", *runtime.split(), *stream.corpus]
    return json.dumps(parts, separators=(",", ":")).encode() + b"\n"


def record(runtime: str) -> str:
    """Record one runtime's whole corpus; its name with its version."""
    lines = answers(runtime, fixtures.SEED, fixtures.COUNT)
    _, name, version, *_ = json.loads(lines[0])
    recordings.write(f"{name}-{version}", b"".join(lines), datetime.now(UTC).date().isoformat())
    return f"{name}-{version}"


def main() -> None:
    """Record every runtime that was asked for; a corpus that has changed starts a new manifest."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runtime", nargs="*", default=["node", "deno"])
    names = parser.parse_args().runtime
    corpus = {"corpus": fixtures.corpus_digest(), "seed": fixtures.SEED, "count": fixtures.COUNT}
    path = recordings.FOLDER / recordings.MANIFEST
    if not path.exists() or {**recordings.manifest(), **corpus} != recordings.manifest():
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({**corpus, "runtimes": {}}), encoding="utf-8")
    for name in names:
        sys.stdout.write(f"{record(name)}: {fixtures.COUNT} fixtures\n")


if __name__ == "__main__":
    main()
