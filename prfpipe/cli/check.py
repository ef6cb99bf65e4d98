"""`prfpipe check`."""

import argparse
import tempfile
from pathlib import Path

from prfpipe.artifacts.names import clean
from prfpipe.cli.output import print_json, print_text
from prfpipe.lever import check_requirements, load_lever
from prfpipe.loop.smoke import answer_once, find_traps
from prfpipe.settings import load_settings


def command(arguments: argparse.Namespace) -> int:
    """Check a lever folder; exit code 1 if the variants disagree about the first operation."""
    lever = load_lever(Path(arguments.folder))
    check_requirements(lever)
    timeout = load_settings().subject_timeout_seconds
    with tempfile.TemporaryDirectory(prefix="prfpipe-check-") as scratch:
        traps = find_traps(lever, Path(scratch), timeout=timeout)
        agree = answer_once(lever, Path(scratch), timeout=timeout)
    if arguments.json:
        print_json({"lever": lever.spec.id, "folder": str(lever.root), "scenarios": agree, "mutants": traps})
    else:
        lines = [f"{name}: {'same answer' if same else 'DIFFERENT ANSWERS'}" for name, same in agree.items()]
        lines += [f"mutant {name}: to be caught by `{clean(case)}`" for name, case in traps.items()]
        print_text(f"{lever.spec.id}: lever.yaml is valid, both variants answer\n" + "\n".join(lines))
    return 0 if all(agree.values()) else 1
