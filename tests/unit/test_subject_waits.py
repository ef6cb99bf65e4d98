"""Waits in source code: found by name and by form, told with line and function."""

import pytest

from prfpipe.subject.waits import waits

FOUND = {
    "a sleep": "import time\ndef f():\n    time.sleep(1)\n",
    "under another name": "from time import sleep as rest\ndef f():\n    rest(1)\n",
    "in an event loop": "import asyncio\nasync def f():\n    await asyncio.sleep(1)\n",
    "a loop on a clock": "from time import perf_counter\ndef f(end):\n    while perf_counter() < end: pass\n",
    "a loop on a clock of a module": "import time\ndef f(end):\n    while end > time.monotonic_ns(): pass\n",
}


@pytest.mark.parametrize("source", FOUND.values(), ids=FOUND)
def test_a_wait_is_found_with_its_line_and_function(source: str) -> None:
    [(line, function, _)] = waits(source.encode())
    assert (line, function) == (3, "f")


@pytest.mark.parametrize(
    "source",
    [
        "import time\nstart = time.perf_counter()\n",
        "while True:\n    break\n",
        "def sleep(): pass\n",
        "def f(:\n",
        "\0",
    ],
)
def test_what_only_looks_like_a_wait_is_none(source: str) -> None:
    assert list(waits(source.encode())) == []
