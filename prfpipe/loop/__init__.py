"""The MS-01 loop: stages in order, one lever per cycle. No Prefect here; flows and the command line call this.

run.py         a run on disk: start it, perform its stages once each, resume it
stages.py      what each stage does
log.py         what a run says, kept in its bundle
measuring.py   the two stages that measure
closing.py     decide and archive
evaluation.py  all of it in one call
"""

from prfpipe.loop.evaluation import Outcome, close, evaluate, open_run, require_plan_of
from prfpipe.loop.run import LOOP, Options, Run

__all__ = ["LOOP", "Options", "Outcome", "Run", "close", "evaluate", "open_run", "require_plan_of"]
