"""The newest entry of the feed: one thread asks for it, for everybody in this process who waits for a change."""

import logging
import threading
import time
from collections.abc import Callable

from django.db import Error, connection, connections

from reconciler.models import Transition

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.05
AFTER_NEWS_SECONDS = 0.2
"""Those that come within this time after a change wake everybody together, because changes often come by the dozen."""
BETWEEN_TWO_SECONDS = 0.0002
"""Those that wait are woken one after the other: a hundred at once spend their time in waiting for the interpreter."""
AFTER_TROUBLE_SECONDS = 1.0
LINGER_SECONDS = 5.0
"""How long the thread stays when nobody waits: the next one usually comes soon."""


# asked twenty times a second: making it out of a query set takes longer than the database does
_NEWEST = f'SELECT max(id) FROM "{Transition._meta.db_table}"'  # noqa: S608 - no value of anybody's is in it


def newest_entry() -> int:
    """Return the id of the newest entry of the feed; 0 if there is none."""
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST)
        (newest,) = cursor.fetchone()
    return newest or 0


def let_connections_go() -> None:
    """Close this thread's connections to databases, unless a transaction is open on them."""
    for each in connections.all(initialized_only=True):
        if not each.in_atomic_block:
            each.close()


class Newest:
    """What is known of the newest entry, and the thread that asks for it while somebody waits."""

    def __init__(self, read: Callable[[], int] = newest_entry) -> None:
        self._read = read
        lock = threading.Lock()
        # two, so that whoever begins to wait wakes the thread that asks, and not everybody who waits already
        self._changed, self._wanted = threading.Condition(lock), threading.Condition(lock)
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
            if self._runs:
                self._wanted.notify()
            else:
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
        with self._wanted:
            self._runs = self._wanted.wait_for(lambda: self._waiting > 0, LINGER_SECONDS)
            return self._runs

    def _look(self) -> float:
        """Ask once; wake everybody if the answer is new. Return how long to wait before the next time."""
        try:
            newest = self._read()
        except Error as error:
            logger.warning("the feed cannot be followed: %s", error, extra={"action": "feed_unreadable"})
            let_connections_go()
            return AFTER_TROUBLE_SECONDS
        if newest == self._known and not self.is_ending():
            return POLL_SECONDS
        with self._changed:
            self._known, waiting = newest, self._waiting
        for _ in range(waiting):
            with self._changed:
                self._changed.notify()
            time.sleep(BETWEEN_TWO_SECONDS)
        return AFTER_NEWS_SECONDS


NEWEST = Newest()
"""Of this process."""
