"""Make the golden bundles again: `make golden`. Needed when wording or formats change; look at the difference then."""

import json
import shutil
from pathlib import Path

from tests.golden.bundles.corpus import BASE, CASES, ROOT, Files, write
from tests.golden.bundles.recipes import cases
from tests.golden.bundles.whole import base
from tests.support import bundles


def main() -> None:
    """Write all of them; refuses a case that does not differ from the base."""
    first = base()
    _fresh(BASE)
    write(first, BASE)
    _fresh(CASES)
    for name, (refused_by, verdict, recipe) in cases().items():
        made = recipe(dict(first))
        if refused_by and made == first:
            raise SystemExit(f"{name} does not differ from the base")
        _keep(name, first, made, {"refused_by": refused_by, "verdict": verdict})
    _keys()


def _fresh(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _keep(name: str, first: Files, made: Files, expected: dict[str, str]) -> None:
    folder = CASES / name
    changed = {file: data for file, data in made.items() if first.get(file) != data}
    removed = sorted(first.keys() - made.keys())
    notes = {"expect.json": (json.dumps(expected, indent=2) + "\n").encode()}
    if removed:
        notes["removed.txt"] = "".join(f"{file}\n" for file in removed).encode()
    write({**changed, **notes}, folder)


def _keys() -> None:
    """The keys of the goldens are known to everybody: they may sign nothing else."""
    pairs = {"golden-test-key-trusted": bundles.KEY, "golden-test-key-untrusted": bundles.OTHER_KEY}
    files = {f"{name}.pub": key.public.pem for name, key in pairs.items()}
    write({**files, **{f"{name}.pem": key.pem() for name, key in pairs.items()}}, ROOT / "keys")


if __name__ == "__main__":
    main()
