"""The bodies of `/containers/json`, kept encoded: a listing costs what has changed since the last one."""

import math
from collections.abc import Callable, Iterable, Mapping

import msgspec

from simulator.container import Container
from simulator.documents import Dialect, listing_item


class Listing:
    """Encoded items by container, and the encoded lists made of them. Its owner holds the lock."""

    def __init__(self, containers: Mapping[str, Container], dialect: Dialect) -> None:
        self._containers = containers
        self._dialect = dialect
        self._fragments: dict[str, tuple[bytes, float]] = {}
        self._bodies: dict[bool, tuple[bytes, float]] = {}
        self._newest_first: list[str] = []
        self._encoder = msgspec.json.Encoder()

    def changed(self, container_id: str) -> None:
        """Forget what is kept of one container, because its fields have changed."""
        self._fragments.pop(container_id, None)
        self._bodies.clear()

    def reordered(self, gone: Iterable[str] = ()) -> None:
        """Forget the order, because containers came or went."""
        for container_id in gone:
            self._fragments.pop(container_id, None)
        self._newest_first = []
        self._bodies.clear()

    def replace(self, container_id: str, raw: bytes) -> None:
        """List raw bytes instead of one item, until its container changes."""
        self._fragments[container_id] = (raw, math.inf)
        self._bodies.clear()

    def body(self, now: float, *, everything: bool) -> bytes:
        """Return the encoded list; the same object as before if nothing in it would read differently."""
        cached = self._bodies.get(everything)
        if cached is None or cached[1] <= now:
            wanted = None if everything else _is_up
            cached = self._bodies[everything] = self._encode(now, wanted)
        return cached[0]

    def matching(self, now: float, wanted: Callable[[Container], bool]) -> bytes:
        """Return the encoded list of the containers wanted."""
        return self._encode(now, wanted)[0]

    def _encode(self, now: float, wanted: Callable[[Container], bool] | None) -> tuple[bytes, float]:
        containers, fragments = self._containers, self._fragments
        chosen: list[tuple[bytes, float]] = []
        for container_id in self._ordered():
            if wanted is not None and not wanted(containers[container_id]):
                continue
            fragment = fragments.get(container_id)
            if fragment is None or fragment[1] <= now:
                fragment = fragments[container_id] = self._fragment(containers[container_id], now)
            chosen.append(fragment)
        if not chosen:
            return b"[]\n", math.inf
        parts = [encoded for encoded, _ in chosen]
        # The brackets go onto the outer parts, so that megabytes are copied once.
        parts[0] = b"[" + parts[0]
        parts[-1] += b"]\n"
        return b",".join(parts), min(expires_at for _, expires_at in chosen)

    def _fragment(self, container: Container, now: float) -> tuple[bytes, float]:
        item = listing_item(container, now, self._dialect)
        return self._encoder.encode(item), container.status_expires_at(now)

    def _ordered(self) -> list[str]:
        if not self._newest_first:
            ordered = sorted(self._containers.values(), key=lambda container: container.created)
            self._newest_first = [container.id for container in reversed(ordered)]
        return self._newest_first


def _is_up(container: Container) -> bool:
    return container.is_up
