"""The newest entry of the feed: one thread asks for it, for everybody in this process who waits for a change."""

import logging
import threading
import time
from collections.abc import Callable

from django.db import Error, connections

from reconciler.models import Transition

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.05
AFTER_TROUBLE_SECONDS = 1.0
LINGER_SECONDS = 5.0
"""How long the thread stays when nobody waits: the next one usually comes soon."""


def newest_entry() -> int:
    """Return the id of the newest entry of the feed; 0 if there is none."""
    return Transition.objects.order_by("-id").values_list("id", flat=True).first() or 0


def let_connections_go() -> None:
    """Close this thread's connections to databases, unless a transaction is open on them."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()


class Newest:
    """What is known of the newest entry, and the thread that asks for it while somebody waits."""

    def __init__(self, read: Callable[[], int] = newest_entry) -> None:
        self._read = read
        self._changed = threading.Condition()
        self._known: int | None = None
        self._waiting = 0
        self._runs = False
        self.is_ending: Callable[[], bool] = lambda: False
        """Tells whether this process is about to end, so that nobody waits any longer; its server knows."""

    @property
    def known(self) -> int | None:
        """The newest entry, as far as it is known. Take it before you read the feed, and wait until it changes."""
        return self._known

    def wait_for_another(self, known: int | None, seconds: float) -> None:
        """Wait until another entry is known to be the newest, or until the time is over.

        Who had read the feed to its end is woken for each entry that comes later, and sometimes for nothing. Who
        waits holds no connection to the database.
        """
        let_connections_go()
        with self._changed:
            self._waiting += 1
            self._changed.notify_all()
            if not self._runs:
                self._runs = True
                threading.Thread(target=self._follow, name="newest", daemon=True).start()
            self._changed.wait_for(lambda: self._known != known or self.is_ending(), seconds)
            self._waiting -= 1

    def _follow(self) -> None:
        try:
            while self._is_wanted():
                time.sleep(self._look())
        except BaseException:
            # a thread that ends in order has said so already, and another one may have begun since
            self._runs = False
            raise

    def _is_wanted(self) -> bool:
        """Tell whether somebody waits, or comes soon; if not, the thread ends. It keeps no connection meanwhile."""
        if not self._waiting:
            let_connections_go()
        with self._changed:
            self._runs = self._changed.wait_for(lambda: self._waiting > 0, LINGER_SECONDS)
            return self._runs

    def _look(self) -> float:
        """Ask once; wake everybody if the answer is new. Return how long to wait before the next time."""
        try:
            newest = self._read()
        except Error as error:
            logger.warning("the feed cannot be followed: %s", error, extra={"action": "feed_unreadable"})
            let_connections_go()
            return AFTER_TROUBLE_SECONDS
        with self._changed:
            if newest != self._known or self.is_ending():
                self._known = newest
                self._changed.notify_all()
        return POLL_SECONDS


NEWEST = Newest()
"""Of this process."""
