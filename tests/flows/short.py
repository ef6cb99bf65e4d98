"""With short efforts, what the first argument names: `prfpipe`, or `prefect.engine`, which a worker starts."""

import runpy
import sys

import pytest

from tests.e2e.evaluations import shorten

if __name__ == "__main__":
    shorten(pytest.MonkeyPatch())
    name = sys.argv.pop(1)
    sys.argv[0] = name
    if name == "prfpipe":
        from prfpipe.cli import main

        main()
    runpy.run_module(name, run_name="__main__", alter_sys=True)
