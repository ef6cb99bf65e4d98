"""`python -m tests.browser [FOLDER]`: LEV-01 at true quick effort from the form, and a refusal; pictures in FOLDER."""

import sys
import tempfile
from pathlib import Path

from tests.browser import journeys, pages
from tests.support.up import ROOT, prfpipe_up

SECONDS = 1200


def main(arguments: list[str]) -> int:
    """Do it, and say where the pictures are."""
    folder = Path(arguments[0]) if arguments else ROOT / ".prfpipe" / "screenshots" / "lev-01"
    with (
        tempfile.TemporaryDirectory(prefix="prfpipe-browser-") as home,
        prfpipe_up(Path(home)) as running,
        pages.browser(running.up["ui"], folder) as ui,
    ):
        sys.stdout.write(f"{journeys.ask_for_a_refused_seed(ui)}\n")
        run, shown = journeys.evaluate_lev_01(ui, SECONDS)
        sys.stdout.write(f"run {run} completed; pictures shown, with their width: {shown}\n")
    sys.stdout.write(f"screenshots: {folder}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
