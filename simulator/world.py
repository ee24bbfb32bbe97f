"""The containers of one engine, and their listing. It sends no events about changes."""

import dataclasses
import threading
import time
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from simulator.container import Container
from simulator.documents import Dialect
from simulator.filters import Filters, container_passes
from simulator.listing import Listing


class World:
    """Containers by ID, oldest first. Thread-safe; whoever makes several changes at once holds `lock`."""

    def __init__(self, dialect: Dialect) -> None:
        self.lock = threading.RLock()
        self._containers: dict[str, Container] = {}
        self._listing = Listing(self._containers, dialect)
        self._last_created = 0

    @property
    def containers(self) -> Mapping[str, Container]:
        """Return a live, read-only view."""
        return MappingProxyType(self._containers)

    def next_created(self) -> int:
        """Return now in unix seconds, or one second after the last container's `created` if that is later."""
        return max(int(time.time()), self._last_created + 1)

    def load(self, containers: Iterable[Container]) -> None:
        """Take over many containers at once."""
        with self.lock:
            for container in containers:
                if container.id in self._containers:
                    raise ValueError(f"Conflict. The container ID {container.id!r} is already in use")
                self._containers[container.id] = container
                self._last_created = max(self._last_created, container.created)
            self._listing.reordered()

    def amend(self, container_id: str, **changes: Any) -> Container:
        """Change a container's fields and return it."""
        with self.lock:
            container = self._containers[container_id] = dataclasses.replace(self._containers[container_id], **changes)
            self._listing.changed(container_id)
            return container

    def replace_item(self, container_id: str, raw: bytes) -> None:
        """List raw bytes instead of a container's item, until that container changes."""
        with self.lock:
            self._listing.replace(self._containers[container_id].id, raw)

    def remove(self, container_id: str) -> Container:
        """Drop a container and return it."""
        with self.lock:
            container = self._containers.pop(container_id)
            self._listing.reordered(gone=[container_id])
            return container

    def clear(self) -> None:
        """Drop every container."""
        with self.lock:
            gone = list(self._containers)
            self._containers.clear()
            self._listing.reordered(gone)

    def find(self, reference: str) -> Container | None:
        """Return a container by ID, by name, or by the beginning of its ID if that is unambiguous."""
        with self.lock:
            if reference in self._containers:
                return self._containers[reference]
            named = [c for c in self._containers.values() if c.name == reference]
            begun = [c for c in self._containers.values() if c.id.startswith(reference)]
        return named[0] if named else begun[0] if len(begun) == 1 else None

    def listing(self, *, everything: bool, filters: Filters) -> bytes:
        """Return the encoded listing; a filter by status asks for everything."""
        with self.lock:
            if not filters:
                return self._listing.body(time.time(), everything=everything)
            everything = everything or "status" in filters
            return self._listing.matching(
                time.time(), lambda c: (everything or c.is_up) and container_passes(c, filters)
            )
