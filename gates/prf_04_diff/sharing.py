"""One list of work for this process and for helpers that it forks; what a helper does not answer is done here.

What is left to do stands in a pipe that all read from, so none waits while another has a queue. Helpers are forked
when there is work, so nothing is sent to them and nothing of them remains afterwards.
"""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple, NoReturn

MOST_CPUS = 4
TICKETS = 1000
"""At most so many pieces, so that their tickets fit into the smallest pipe there is (a page)."""
_TICKET = 4


class Helper(NamedTuple):
    """A forked process, and where its answer is read."""

    pid: int
    answer: int


def cpus() -> int:
    """How many CPUs this process may use at once; 1 where it cannot fork."""
    if not hasattr(os, "fork"):
        return 1
    return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, MOST_CPUS)


def share(count: int, work: Callable[[int], Any], processes: int) -> list[Any]:
    """`[work(0), …, work(count - 1)]`; results must survive JSON. Begun in order, so give the longest first.

    Raises:
        Exception: what `work` raises here; what it raises in a helper is tried here again.
    """
    tickets = _tickets(count)
    helpers: list[Helper] = []
    try:
        with suppress(OSError):  # no more processes or files: with fewer helpers, then
            helpers.extend(_start(tickets, count, work) for _ in range(processes - 1))
        found = _work_off(tickets, count, work)
        for helper in helpers:
            found |= _answer(helper)
    finally:
        os.close(tickets)
        for helper in helpers:
            _end(helper)
    return [found[index] if index in found else work(index) for index in range(count)]


def _tickets(count: int) -> int:
    """The read end of a pipe with the first number of each piece; its end is the end of the work."""
    read, write = os.pipe()
    with os.fdopen(write, "wb") as file:
        for first in range(0, count, _size(count)):
            file.write(first.to_bytes(_TICKET, "big"))
    return read


def _size(count: int) -> int:
    return -(-count // TICKETS) or 1


def _taken(tickets: int, count: int) -> Iterator[int]:
    # A read of a pipe takes its bytes at once: no two processes ever have the same ticket.
    while ticket := os.read(tickets, _TICKET):
        first = int.from_bytes(ticket, "big")
        yield from range(first, min(first + _size(count), count))


def _work_off(tickets: int, count: int, work: Callable[[int], Any]) -> dict[int, Any]:
    return {index: work(index) for index in _taken(tickets, count)}


def _start(tickets: int, count: int, work: Callable[[int], Any]) -> Helper:
    read, write = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(read)
        raise
    else:
        if not pid:
            _help(tickets, count, work, write)
    finally:
        os.close(write)
    return Helper(pid, read)


def _help(tickets: int, count: int, work: Callable[[int], Any], write: int) -> NoReturn:
    """All that a helper does. It never returns: nothing of its parent's may be finished or flushed a second time."""
    try:
        found = _work_off(tickets, count, work)
        with os.fdopen(write, "wb") as file:
            file.write(json.dumps(list(found.items())).encode())
    finally:
        os._exit(0)


def _answer(helper: Helper) -> dict[int, Any]:
    """What a helper found; nothing where it died or its answer is cut."""
    with os.fdopen(helper.answer, "rb", closefd=False) as file:
        data = file.read()
    with suppress(ValueError):
        return dict(json.loads(data))
    return {}


def _end(helper: Helper) -> None:
    os.close(helper.answer)
    with suppress(ProcessLookupError):
        os.kill(helper.pid, signal.SIGKILL)  # it has answered, or is not wanted any more
    os.waitpid(helper.pid, 0)
