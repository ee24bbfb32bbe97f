"""Bounds for steps of libraries that have none of their own. Does no I/O itself."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import TypeVar

from reconciler.engine.errors import Trouble

T = TypeVar("T")


def within(seconds: float, work: Callable[[], T]) -> T:
    """Return the result of some work. Raises TimeoutError if it takes longer than `seconds`.

    The work then goes on in a thread of its own until it ends: some work, such as resolving a name, cannot be ended.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised to the one who waits
            future.set_exception(error)

    threading.Thread(target=run, name="within", daemon=True).start()
    return future.result(max(seconds, 0.0))


class Alarm:
    """A time for several steps together. The step that is under way when the time is up is cut off."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._deadline = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Return how much of the time is left, in seconds."""
        return max(self._deadline - time.monotonic(), 0.0)

    def wait_for(self, work: Callable[[], T]) -> T:
        """Return the result of some work that nothing can cut off. Raises Trouble if the time is up before."""
        try:
            return within(self.left, work)
        except TimeoutError:
            raise self._trouble() from None

    @contextlib.contextmanager
    def cutting(self, cut: Callable[[], None]) -> Iterator[None]:
        """Cut the step in this block off when the time is up. Raises Trouble then, whatever the step raised."""
        rung = threading.Event()

        def ring() -> None:
            rung.set()
            cut()

        timer = threading.Timer(self.left, ring)
        timer.start()
        try:
            yield
        except Trouble:
            raise
        except BaseException as error:
            if rung.is_set() or isinstance(error, TimeoutError):
                raise self._trouble() from error
            raise
        finally:
            timer.cancel()
            timer.join()
        if rung.is_set():
            raise self._trouble()

    def _trouble(self) -> Trouble:
        return Trouble(f"was not reached over ssh within {self.seconds:g} s", stuck=True)
