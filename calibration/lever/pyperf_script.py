"""The operation as a pyperf benchmark: `pyperf_script.py --extra-percent P` and pyperf's own options."""

import argparse

import pyperf
from operation import operate


def run(loops: int, extra_percent: int) -> float:
    start = pyperf.perf_counter()
    for number in range(100_000, 100_000 + loops):
        operate(number, extra_percent)
    return float(pyperf.perf_counter() - start)


def pass_on(command: list[str], arguments: argparse.Namespace) -> None:
    command.extend(("--extra-percent", str(arguments.extra_percent)))


if __name__ == "__main__":
    runner = pyperf.Runner(add_cmdline_args=pass_on)
    runner.argparser.add_argument("--extra-percent", type=int, default=0)
    runner.bench_time_func("operation", run, runner.parse_args().extra_percent)
