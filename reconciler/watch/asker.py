"""The thread that asks for passes when the schedule says so."""

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from kombu.exceptions import OperationalError

from reconciler.core.events import Event
from reconciler.core.report import Trigger
from reconciler.exceptions import LockUnavailable
from reconciler.lock import PassRequest
from reconciler.watch.schedule import DueLook, Schedule

logger = logging.getLogger(__name__)

RETRY_SECONDS = 2.5
"""The pause after a request that failed; it is longer than Redis remembers who was told to start a pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskerStatus:
    """How many passes of each host were asked for; since when asking fails, by the monotonic clock (None: it works)."""

    asked: dict[str, int]
    failing_since: float | None


class Asker(threading.Thread):
    """Asks for the passes that are due. One condition guards everything that threads share."""

    def __init__(self, ask: Callable[[str, PassRequest, tuple[int, ...]], None], window_seconds: float) -> None:
        super().__init__(name="asker", daemon=True)
        self._ask = ask
        self._changed = threading.Condition()
        self._schedule = Schedule(window_seconds)
        self._asked: dict[str, int] = {}
        self._failing_since: float | None = None
        self._trusted_until = math.inf
        self._stopped = False

    def want(self, host: str) -> None:
        """Want one pass of a host; never blocks on the network."""
        with self._changed:
            self._schedule.want(host, time.monotonic())
            self._changed.notify()

    def note_event(self, host: str, event: Event) -> None:
        """Want the passes that an event leads to; never blocks on the network."""
        with self._changed:
            self._schedule.note_event(host, time.monotonic(), event.at_ns, event.listed_after)
            self._changed.notify()

    def forget(self, host: str) -> None:
        """Stop asking for passes of a host."""
        with self._changed:
            self._schedule.forget(host)

    def trust_until(self, moment: float) -> None:
        """Ask for passes until a moment of the monotonic clock, and then keep them until it is trusted again.

        A watcher that was stopped for a while, or has no database, may have lost its hosts to others.
        """
        with self._changed:
            self._trusted_until = moment
            self._changed.notify()

    def status(self) -> AskerStatus:
        """Return what has been asked so far."""
        with self._changed:
            return AskerStatus(asked=dict(self._asked), failing_since=self._failing_since)

    def stop(self) -> None:
        """End the thread."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def run(self) -> None:
        """Ask until stopped."""
        while due := self._wait_for_look():
            try:
                self._ask(due.host, PassRequest(Trigger.EVENT, due.event_ns), due.announced)
            except (LockUnavailable, OperationalError) as error:
                self._note_failure(due, error)
            else:
                self._note_success(due)

    def _wait_for_look(self) -> DueLook | None:
        """Return the next look when it is due, or None once the thread has to end."""
        with self._changed:
            while not self._stopped:
                now = time.monotonic()
                if now >= self._trusted_until:
                    self._changed.wait()
                    continue
                if due := self._schedule.take(now):
                    return due
                next_due = self._schedule.next_due()
                self._changed.wait(None if next_due is None else max(0.0, next_due - now))
        return None

    def _note_success(self, due: DueLook) -> None:
        """Count the request, and note that asking works."""
        with self._changed:
            self._failing_since = None
            self._asked[due.host] = self._asked.get(due.host, 0) + 1

    def _note_failure(self, due: DueLook, error: Exception) -> None:
        """Put the look back onto the schedule; warn at the first failure only."""
        now = time.monotonic()
        with self._changed:
            is_news = self._failing_since is None
            self._failing_since = now if is_news else self._failing_since
            self._schedule.try_again(due, now + RETRY_SECONDS)
        if is_news:
            logger.warning("%s; asking again every %g s", error, RETRY_SECONDS, extra={"action": "ask_failed"})
