"""A daemon's event stream: which events say *look now*, and when the daemon says they happened.

Pure: imports no framework, reads no clock, does no I/O. An event is never trusted with more (I13).
"""

from typing import NamedTuple

import msgspec
from msgspec import Struct

MAX_LINE_BYTES = 1 << 20

_COUNTING = frozenset(
    {"create", "start", "restart", "die", "died", "stop", "pause", "unpause", "destroy", "remove", "rename"}
)
"""Lifecycle, in Docker's words and Podman's; `died` and `remove` are Podman's."""
_LATEST_NS = 1 << 62
_HEALTH = "health_status"


class Event(NamedTuple):
    """An event that counts; `at_ns` is the daemon's own clock, in nanoseconds since 1970, None if it is absurd."""

    action: str
    at_ns: int | None


class BadStream(ValueError):
    """The stream holds something that is not an event."""


class _Line(Struct, rename={"type_": "Type", "action": "Action", "time_ns": "timeNano"}):
    """What Docker ≥ 20.10 says; since API 1.52 without `status`, `id` and `from`."""

    type_: str = "container"
    action: str = ""
    time_ns: int = 0
    time: int = 0


_line = msgspec.json.Decoder(_Line)


class EventReader:
    """Cuts a stream's bytes into events, wherever the chunks were cut."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events that count among those complete by now. Raises BadStream."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            raise BadStream(f"a line longer than {MAX_LINE_BYTES} bytes")
        return [event for line in lines if line.strip() and (event := _event(line))]


def _event(line: bytes) -> Event | None:
    try:
        read = _line.decode(line)
    except (ValueError, RecursionError):
        raise BadStream(f"something that is not an event: {line[:60]!r}") from None
    action = read.action.partition(":")[0]
    if read.type_ != "container" or not (action in _COUNTING or action == _HEALTH):
        return None
    at_ns = read.time_ns or read.time * 1_000_000_000
    return Event(action, at_ns if 0 < at_ns < _LATEST_NS else None)
