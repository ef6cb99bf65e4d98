"""What the tests of LEV-02 share: its modules, and reports that both of its variants must make."""

from pathlib import Path
from typing import Any

from tests.support.lever_modules import LEVERS, load_modules

FOLDER = LEVERS / "lev_02_lockstep"
lever = load_modules(FOLDER)
NODE, DENO = "node-24.19.0", "deno-2.9.8"


def report_on(variant: Any, workdir: Path, outputs: dict[str, list[bytes]]) -> dict[str, Any]:
    """The report of one variant on whole outputs of the same number of fixtures; the first is the reference."""
    (workdir / "streams").mkdir(exist_ok=True)
    for name, lines in outputs.items():
        (workdir / "streams" / name).write_bytes(b"".join(lines))
    fixtures = min(map(len, outputs.values())) - 2
    found: dict[str, Any] = variant.Subject({}, workdir).operate({"fixtures": fixtures, "runtimes": list(outputs)})
    return found


def both(workdir: Path, outputs: dict[str, list[bytes]]) -> dict[str, Any]:
    """The report that both variants must make."""
    reports = [report_on(variant, workdir, outputs) for variant in (lever.baseline, lever.candidate)]
    assert reports[0] == reports[1]
    return reports[0]
