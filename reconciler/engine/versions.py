"""What daemons said of themselves, remembered so that each is asked once; one instance for a process."""

import threading

from reconciler.engine.answers import Version


class KnownVersions:
    """The last answers to /version by Engine URL, as many as there is room for. Thread-safe."""

    def __init__(self, most: int = 4_096) -> None:
        self._most = most
        self._versions: dict[str, Version] = {}
        self._lock = threading.Lock()

    def get(self, url: str) -> Version | None:
        """Return what is remembered of a daemon."""
        with self._lock:
            return self._versions.get(url)

    def remember(self, url: str, version: Version) -> None:
        """Remember what a daemon said; what was remembered first is forgotten if there is no room."""
        with self._lock:
            self._versions.pop(url, None)
            while len(self._versions) >= self._most:
                del self._versions[next(iter(self._versions))]
            self._versions[url] = version

    def forget(self, url: str) -> None:
        """Forget what a daemon said, as after any error: it may come back newer."""
        with self._lock:
            self._versions.pop(url, None)

    def forget_all(self) -> None:
        """Forget what every daemon said."""
        with self._lock:
            self._versions.clear()


known_versions = KnownVersions()
