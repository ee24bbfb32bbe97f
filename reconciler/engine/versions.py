"""Remembers what daemons said about themselves, so that each is asked once. A process has one instance."""

import threading

from reconciler.engine.answers import Version


class KnownVersions:
    """The last answers to /version by Engine URL, up to a number. Thread-safe."""

    def __init__(self, most: int = 4_096) -> None:
        self._most = most
        self._versions: dict[str, Version] = {}
        self._lock = threading.Lock()

    def get(self, url: str) -> Version | None:
        """Return what is remembered about a daemon."""
        with self._lock:
            return self._versions.get(url)

    def remember(self, url: str, version: Version) -> None:
        """Remember what a daemon said. If there is no room, the oldest entry is forgotten."""
        with self._lock:
            self._versions.pop(url, None)
            while len(self._versions) >= self._most:
                del self._versions[next(iter(self._versions))]
            self._versions[url] = version

    def forget(self, url: str) -> None:
        """Forget what a daemon said. This is done after any error, because the daemon may come back newer."""
        with self._lock:
            self._versions.pop(url, None)

    def forget_all(self) -> None:
        """Forget what every daemon said."""
        with self._lock:
            self._versions.clear()


known_versions = KnownVersions()
