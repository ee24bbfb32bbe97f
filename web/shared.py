"""Work that many threads want done at the same time: one does it, and all have what comes of it."""

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

Result = TypeVar("Result")

KEPT_SECONDS = 1.0


class Shared(Generic[Result]):
    """What was worked out in the last second, and what is being worked out, by key."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun: dict[Hashable, tuple[float, Future[Result]]] = {}

    def get(self, key: Hashable, work_out: Callable[[], Result]) -> Result:
        """Return what is worked out for a key, by this thread or by another that has begun shortly before.

        An error is raised in every thread that waits for it.
        """
        with self._lock:
            self._forget_the_old()
            _, found = self._begun.get(key, (0.0, None))
            if found is None:
                mine: Future[Result] = Future()
                self._begun[key] = (time.monotonic(), mine)
        if found is not None:
            return found.result()
        try:
            mine.set_result(work_out())
        except BaseException as error:
            mine.set_exception(error)
            raise
        return mine.result()

    def _forget_the_old(self) -> None:
        oldest = time.monotonic() - KEPT_SECONDS
        for key in [key for key, (begun, _) in self._begun.items() if begun < oldest]:
            del self._begun[key]
