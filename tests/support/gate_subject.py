"""A tiny subject of a gate: `gate_subject.py COUNT WORK_US EVERY SPIKE_US` prints COUNT times, in ns, what work takes.

Every EVERY-th time takes SPIKE_US longer; EVERY 0 never does. The times are told and not measured, so that no busy host
changes an answer; a WORK_US that is missing ends it with an error.
"""

import sys


def main() -> None:
    count, microseconds, every, spike = map(int, sys.argv[1:])
    for number in range(1, count + 1):
        longer = spike if every and number % every == 0 else 0
        sys.stdout.write(f"{1000 * (microseconds + longer) + number % 10}\n")


main()
