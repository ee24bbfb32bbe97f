"""Places for those who wait: each takes a thread of this process, so there are only so many."""

import threading
from collections.abc import Callable

from django.conf import settings


class Places:
    """A number of places that are taken and given back."""

    def __init__(self, most: Callable[[], int]) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._taken = 0

    def take(self) -> bool:
        """Take a place; return False if none is free."""
        with self._lock:
            is_free = self._taken < self._most()
            self._taken += is_free
            return is_free

    def give_back(self) -> None:
        """Give a place back."""
        with self._lock:
            self._taken -= 1


PLACES = Places(lambda: settings.FOLLOWERS_MOST)
"""Of this process."""
