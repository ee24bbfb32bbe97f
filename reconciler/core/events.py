"""A daemon's event stream: which events say *look now*, and when they happened by the daemon's own clock.

Pure: imports no framework, reads no clock, does no I/O. Nothing else is taken from an event (I13).
"""

from typing import NamedTuple

import msgspec
from msgspec import Struct

MAX_LINE_BYTES = 1 << 20

_COUNTING = frozenset(
    {"create", "start", "restart", "die", "died", "stop", "pause", "unpause", "destroy", "remove", "rename"}
)
"""Actions that change a container's life, in Docker's words and in Podman's (`died` and `remove`)."""
_DEATHS = frozenset({"die", "died"})
_DEATH_LISTED_SECONDS = 0.015
"""How long after it announces a death Docker 20.10 lists it, at the median. A look at once would come too early."""
_LATEST_NS = 1 << 62
_HEALTH = "health_status"


class Event(NamedTuple):
    """An event that matters; `at_ns` is in nanoseconds since 1970 by the daemon's clock, None if it makes no sense."""

    action: str
    at_ns: int | None

    @property
    def listed_after(self) -> float:
        """Return how many seconds after the event a listing may be expected to show it."""
        return _DEATH_LISTED_SECONDS if self.action in _DEATHS else 0.0


class BadStream(ValueError):
    """The stream holds something that is not an event."""


class _Line(Struct, rename={"type_": "Type", "action": "Action", "time_ns": "timeNano"}):
    """The fields that Docker sends from 20.10 on; since API 1.52 `status`, `id` and `from` are gone."""

    type_: str = "container"
    action: str = ""
    time_ns: int = 0
    time: int = 0


_line = msgspec.json.Decoder(_Line)


class EventReader:
    """Turns a stream's bytes into events, however the bytes are divided into chunks."""

    def __init__(self) -> None:
        # grows in place: a stream may come byte by byte, and copying what is there each time would take for ever
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> list[Event]:
        """Take a chunk and return the events that matter among those that are complete now. Raises BadStream."""
        first, *others = chunk.split(b"\n")
        self._rest += first
        lines: list[bytes] = []
        if others:
            lines = [bytes(self._rest), *others[:-1]]
            self._rest = bytearray(others[-1])
        if len(self._rest) > MAX_LINE_BYTES:
            raise BadStream(f"a line longer than {MAX_LINE_BYTES} bytes")
        return [event for line in lines if line.strip() and (event := _event(line))]


def _event(line: bytes) -> Event | None:
    """Return the event of a line, or None if it does not matter. Raises BadStream."""
    try:
        read = _line.decode(line)
    except (ValueError, RecursionError):
        raise BadStream(f"something that is not an event: {line[:60]!r}") from None
    action = read.action.partition(":")[0]
    if read.type_ != "container" or not (action in _COUNTING or action == _HEALTH):
        return None
    at_ns = read.time_ns or read.time * 1_000_000_000
    return Event(action, at_ns if 0 < at_ns < _LATEST_NS else None)
