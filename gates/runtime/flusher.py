"""Waits for the disk in a thread of its own, so that the runtime can go on computing meanwhile."""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread


class Flusher:
    """One flush at a time: `begin`, then `wait`. `flush` must give up the interpreter's lock while the disk is busy."""

    def __init__(self, flush: Callable[[], None]) -> None:
        self._flush = flush
        self._asked: SimpleQueue[bool] = SimpleQueue()
        self._answers: SimpleQueue[BaseException | None] = SimpleQueue()
        self._thread = Thread(target=self._serve, name="flusher", daemon=True)
        self._thread.start()

    def begin(self) -> None:
        """Start a flush of everything that was written before."""
        self._asked.put(True)

    def wait(self) -> BaseException | None:
        """None when the flush that was begun has reached the disk; else why it has not."""
        return self._answers.get()

    def close(self) -> None:
        """End the thread."""
        self._asked.put(False)
        self._thread.join()

    def _serve(self) -> None:
        while self._asked.get():
            self._answers.put(self._failure())

    def _failure(self) -> BaseException | None:
        try:
            self._flush()
        except BaseException as error:  # noqa: BLE001 (whatever it is, the one who waits has to hear of it)
            return error
        return None
