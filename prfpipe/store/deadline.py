"""A total deadline that also cuts what sends a byte a second, and bounded retries under it."""

import random
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from threading import Thread
from typing import Any, TypeVar

from prfpipe.errors import IntegrityError, StoreError, StoreUnavailableError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a networked store may take, in seconds, and how patient to be.

    One operation with all its retries ends within `total` plus the time that its bytes need at
    `bytes_per_second`. There is one retry after each of the `pauses`, which are lengthened by up to a half at
    random, so that writers that failed together do not come back together.
    """

    connect: float = 5.0
    read: float = 20.0
    total: float = 120.0
    bytes_per_second: int = 64 * 1024
    pauses: tuple[float, ...] = (0.2, 1.0, 3.0)

    def deadline(self, what: str, size: int = 0) -> "Deadline":
        """The deadline, starting now, of an operation that moves `size` bytes."""
        return Deadline(what, self.total + size / self.bytes_per_second)


class Deadline:
    """A moment after which nothing is waited for any more."""

    def __init__(self, what: str, seconds: float) -> None:
        self._what = what
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self._left_behind: Future[Any] | None = None

    @property
    def left(self) -> float:
        """Seconds until the deadline, negative after it."""
        return self._end - time.monotonic()

    def run(self, call: Callable[[], T]) -> T:
        """What `call` returns or raises.

        The call runs in a thread of its own, because a socket's timeout starts anew with each byte; a call
        that is still waiting for its peer at the deadline is left behind in its daemon thread.

        Raises:
            StoreUnavailableError: the deadline came first.
        """
        future: Future[T] = Future()
        Thread(target=_settle, args=(future, call), name=f"store: {self._what}"[:60], daemon=True).start()
        if not wait([future], timeout=max(self.left, 0)).done:
            self._left_behind = future
            raise StoreUnavailableError(
                f"{self._what}: not finished after {self._seconds:.0f} s, so it was cut off",
                hint="The store hangs or is far too slow. Check the endpoint and the network, then run the "
                "command again: it goes on where it stopped.",
            )
        return future.result()

    def close(self, close: Callable[[], object]) -> None:
        """Call `close` now, or after a call that was left behind: closing what is being read would wait for it."""
        if self._left_behind:
            self._left_behind.add_done_callback(lambda _: close())
        else:
            close()


def with_retries(limits: Limits, deadline: Deadline, action: Callable[[], T], *retried: type[StoreError]) -> T:
    """Run `action` until it succeeds, its error is not worth a retry, or tries or time are used up.

    An unavailable store is tried again after a pause, bytes damaged on the way at once.

    Args:
        limits: how often and how patiently.
        deadline: of all tries together.
        action: one try. It must do no harm if the try before did its work and only the answer was lost.
        retried: further errors that a second try may cure.
    """
    curable: tuple[type[StoreError], ...] = (StoreUnavailableError, IntegrityError, *retried)
    for pause in limits.pauses:
        try:
            return action()
        except curable as error:
            wait_for = 0 if isinstance(error, IntegrityError) else pause * random.uniform(1, 1.5)
            if deadline.left <= wait_for:
                raise
            time.sleep(wait_for)
    return action()


def _settle(future: "Future[T]", call: Callable[[], T]) -> None:
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - it is raised again where somebody waits for it
        future.set_exception(error)
    else:
        future.set_result(result)
