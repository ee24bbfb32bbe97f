"""The open `/events` streams of one engine. It carries events; it neither makes nor drops any."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from simulator.filters import Filters
from simulator.wire import Connection


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EventStream:
    """A client that watches."""

    connection: Connection
    filters: Filters

    def send(self, data: bytes) -> None:
        """Write bytes to this client from any thread."""
        self.connection.call(lambda: self.connection.chunk(data))

    def end(self) -> None:
        """End the answer properly."""
        self.connection.chunk(b"")
        self.connection.finish()


class Broadcast:
    """Every client that watches one engine. Thread-safe."""

    def __init__(self) -> None:
        self._streams: list[EventStream] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._streams)

    def open(self, connection: Connection, filters: Filters) -> EventStream:
        """Start an answer that carries events from now on."""
        stream = EventStream(connection=connection, filters=filters)
        connection.on_lost = lambda: self._discard(stream)
        # Registered before the client learns that its stream is open, so that it misses nothing from then on.
        with self._lock:
            self._streams.append(stream)
        connection.begin(200)
        return stream

    def send(self, data: bytes, wanted: Callable[[Filters], bool] = lambda _filters: True) -> None:
        """Write bytes to every client whose filters want them."""
        with self._lock:
            for stream in self._streams:
                if wanted(stream.filters):
                    stream.send(data)

    def take_all(self) -> list[EventStream]:
        """Return the open streams, and forget them."""
        with self._lock:
            streams, self._streams = self._streams, []
        return streams

    def _discard(self, stream: EventStream) -> None:
        with self._lock:
            self._streams = [other for other in self._streams if other is not stream]
