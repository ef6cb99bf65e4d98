"""A tiny subject of a gate: `gate_subject.py COUNT BUSY_US EVERY SPIKE_US` works COUNT times and prints each ns.

Every EVERY-th time it takes SPIKE_US longer; EVERY 0 never does. By CPU time, so that a busy host changes no answer.
"""

import sys
import time


def busy(microseconds: int) -> None:
    end = time.process_time_ns() + 1000 * microseconds
    while time.process_time_ns() < end:
        pass


def main() -> None:
    count, microseconds, every, spike = map(int, sys.argv[1:])
    for number in range(1, count + 1):
        start = time.process_time_ns()
        busy(microseconds)
        if every and number % every == 0:
            busy(spike)
        sys.stdout.write(f"{time.process_time_ns() - start}\n")


main()
