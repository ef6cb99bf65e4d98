"""The operation as a whole command, for hyperfine: `command.py EXTRA_PERCENT OPERATIONS`."""

import sys

from operation import operate

extra_percent, operations = int(sys.argv[1]), int(sys.argv[2])
for number in range(100_000, 100_000 + operations):
    operate(number, extra_percent)
