"""`python calibration/calibrate.py`: see `calibration.command_line`."""

import sys
from pathlib import Path


def _main() -> int:
    # This folder gives way to the project's: its modules are `calibration.*`, and no other module is shadowed.
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from calibration.command_line import main

    return main(sys.argv[1:])


if __name__ == "__main__":
    raise SystemExit(_main())
