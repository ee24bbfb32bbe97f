"""Server-sent events: the form in which browsers, curl and others read a stream."""

from collections.abc import Callable, Generator, Iterator
from typing import Any

import msgspec
from django.http import HttpRequest, StreamingHttpResponse

CONTENT_TYPE = "text/event-stream"
SEND_SECONDS = 30.0
RETRY_MS = 1_000
"""How long a browser waits before it comes again, after the end of a stream."""


def event(name: str, event_id: str, data: Any) -> bytes:
    """Return an event; JSON has no line breaks, so the data is one line."""
    return b"event: %b\nid: %b\ndata: %b\n\n" % (name.encode(), event_id.encode(), msgspec.json.encode(data))


def leave_who_does_not_read(request: HttpRequest) -> None:
    """Have the server give a client up that takes nothing of its stream for so long, instead of waiting for ever."""
    if connection := request.META.get("gunicorn.socket"):
        connection.settimeout(SEND_SECONDS)


class Events:
    """A stream of events, and what is done at its end, also if nobody has read any of it."""

    def __init__(self, events: Generator[bytes], at_end: Callable[[], None]) -> None:
        self._events = events
        self._at_end = at_end
        self._is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self._events

    def close(self) -> None:
        """End the stream, once, however often this is called."""
        if not self._is_closed:
            self._is_closed = True
            try:
                self._events.close()
            finally:
                self._at_end()


def stream(events: Events) -> StreamingHttpResponse:
    """Return a stream as an answer that no proxy holds back."""
    return StreamingHttpResponse(events, content_type=CONTENT_TYPE, headers={"X-Accel-Buffering": "no"})
