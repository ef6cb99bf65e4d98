"""The MS-01 loop: stages in order, one lever per cycle. No Prefect here; flows and the command line call this.

    run.py       a run on disk: start it, perform its stages once each, resume it
    stages.py    what each stage does
    measuring.py the two stages that measure
    closing.py   decide and archive
"""

from prfpipe.loop.run import LOOP, Options, Run

__all__ = ["LOOP", "Options", "Run"]
