"""A thread that follows one host's event stream, whatever happens to the stream.

Each subscription is followed by a full pass. Whatever ends a stream leads to a new subscription, and so to a full pass
(I13).
"""

import logging
import random
import threading
import time
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from django.utils import timezone

from reconciler.core.backoff import pause_seconds
from reconciler.core.events import BadStream, Event, EventReader
from reconciler.engine import Engine, EventStream
from reconciler.exceptions import EngineUnavailable

logger = logging.getLogger(__name__)

SILENCE_SECONDS = 45.0
"""A stream that is silent for this long may be half open, so it is ended and opened again."""
STREAM_SECONDS = (120.0, 300.0)
"""A stream is ended deliberately at a random moment of this range."""
BACKOFF_SECONDS = (1.0, 30.0)


class Listener(Protocol):
    """What is told that somebody should look at a host."""

    def want(self, host: str) -> None:
        """Want one look."""

    def note_event(self, host: str, event: Event) -> None:
        """Want the looks that an event leads to."""


class Backoff:
    """Pauses that grow exponentially, with jitter. They start again after a stream that outlived the longest pause."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._failures = 0

    def after(self, lived_seconds: float) -> float:
        """Return the pause in seconds after a stream that was open for `lived_seconds`."""
        shortest, longest = BACKOFF_SECONDS
        self._failures = 0 if lived_seconds > longest else self._failures + 1
        return pause_seconds(self._failures, 2 * shortest, longest, self._rng.random())


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStatus:
    """Since when the host's events are followed (None: they are not), and how many were seen in all."""

    watching_since: datetime | None = None
    events_seen: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    """A stream that is being read: when its last bytes came and when it has to end, by the monotonic clock."""

    stream: EventStream
    heard_at: float
    end_at: float


class HostWatch(threading.Thread):
    """Follows one host's stream until stopped. One lock guards everything that threads share."""

    def __init__(self, engine: Engine, listener: Listener) -> None:
        super().__init__(name=f"watch-{engine.host}", daemon=True)
        self.engine = engine
        self._listener = listener
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret
        self._trouble = ""
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._status = StreamStatus()
        self._open: _Open | None = None
        self._ended_by_us = False

    def status(self) -> StreamStatus:
        """Return how the watch is doing."""
        with self._lock:
            return self._status

    def run(self) -> None:
        """Follow one stream after the other."""
        backoff = Backoff(self._rng)
        while not self._stopping.is_set():
            began = time.monotonic()
            trouble = self._follow()
            pause = backoff.after(time.monotonic() - began)
            if trouble:
                self._warn(trouble, pause)
                self._stopping.wait(pause)

    def check(self, now: float) -> None:
        """End a stream that has been silent, or open, for too long."""
        with self._lock:
            is_over = self._open and (now - self._open.heard_at > SILENCE_SECONDS or now > self._open.end_at)
        if is_over:
            self._end_stream()

    def stop(self) -> None:
        """Make the thread end soon."""
        self._stopping.set()
        self._end_stream()

    def _follow(self) -> str:
        """Follow one stream to its end; return what went wrong, or nothing if it was ended on purpose."""
        with self._lock:
            self._ended_by_us = False
        try:
            self._read_stream()
            trouble = "the event stream ended"
        except EngineUnavailable as error:
            trouble = error.trouble
        except BadStream as error:
            trouble = f"the event stream holds {error}"
        except Exception as error:  # whatever goes wrong with one host must not touch the others (I15)
            logger.exception("host %s: its watch met an unexpected error", self.engine.host)
            trouble = f"its watch failed with {type(error).__name__}"
        with self._lock:
            return "" if self._ended_by_us or self._stopping.is_set() else trouble

    def _read_stream(self) -> None:
        """Subscribe, and pass on what comes until the stream ends."""
        stream = self.engine.events(SILENCE_SECONDS + 10)
        try:
            self._begin(stream)
            reader = EventReader()
            for chunk in stream:
                self._hear(reader, chunk)
        finally:
            with self._lock:
                self._open = None
                self._status = replace(self._status, watching_since=None)
            stream.close()

    def _begin(self, stream: EventStream) -> None:
        """Note that the stream is open, and ask for a pass."""
        now = time.monotonic()
        with self._lock:
            self._open = _Open(stream=stream, heard_at=now, end_at=now + self._rng.uniform(*STREAM_SECONDS))
            self._status = replace(self._status, watching_since=timezone.now())
        # only now: what happens from here on is announced, and what happened before is in the listing
        self._listener.want(self.engine.host)
        if self._stopping.is_set():
            self._end_stream()
        if self._trouble:
            logger.info("host %s: watching again", self.engine.host, extra={"action": "watching"})
            self._trouble = ""

    def _hear(self, reader: EventReader, chunk: bytes) -> None:
        """Take a chunk of the stream, and pass its events on."""
        events = reader.feed(chunk)
        with self._lock:
            if self._open:
                self._open = replace(self._open, heard_at=time.monotonic())
            self._status = replace(self._status, events_seen=self._status.events_seen + len(events))
        for event in events:
            self._listener.note_event(self.engine.host, event)

    def _end_stream(self) -> None:
        """End the open stream on purpose, if there is one."""
        with self._lock:
            opened = self._open
            self._ended_by_us = self._ended_by_us or opened is not None
        if opened:
            opened.stream.end()

    def _warn(self, trouble: str, pause: float) -> None:
        """Warn about trouble when it is new; log it for debugging when it lasts."""
        level = logging.DEBUG if trouble == self._trouble else logging.WARNING
        self._trouble = trouble
        text = "host %s: not watching: %s; trying again in %.1f s"
        logger.log(level, text, self.engine.host, trouble, pause, extra={"action": "not_watching"})
