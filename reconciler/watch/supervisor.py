"""SHELL: watch the event streams of all enabled hosts, and ask for a pass when something happens.

A stream is a hint and no more: every one is subscribed to first and followed by a full pass, and
whatever happens to it ends in a new subscription and a full pass (I13).
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime

from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.utils import timezone
from kombu.exceptions import OperationalError

from reconciler import store
from reconciler.conf import engine_of
from reconciler.core.backoff import pause_seconds
from reconciler.core.events import BadStream, EventReader
from reconciler.core.report import Trigger
from reconciler.engine import Engine, EventStream
from reconciler.exceptions import EngineUnavailable, LockUnavailable
from reconciler.lock import PassRequest
from reconciler.models import Host

logger = logging.getLogger(__name__)

SILENCE_SECONDS = 45.0
"""A stream that says nothing for so long may be half open: it is ended and opened anew."""
STREAM_SECONDS = (120.0, 300.0)
"""A stream is ended deliberately at a random moment of this range."""
BACKOFF_SECONDS = (1.0, 30.0)
REFRESH_SECONDS = 5.0
"""How often hosts are read and the record of the watch is written; never per event."""
SETTLED_SECONDS = 0.5
"""The last look after an event, for a daemon under load whose listing is slow to show it."""
RETRY_SECONDS = 2.5
"""Pause after an ask that failed; longer than Redis remembers who was told to start a pass."""
JOIN_SECONDS = 3.0
"""How long to wait, in all, for threads to end that may hang on the network."""
PATIENCE_SECONDS = 120.0
"""How long database or Redis may fail before the watcher gives up, for a supervisor to see."""


class CannotWatch(RuntimeError):
    """The watcher can no longer do its work."""


class Backoff:
    """Exponential pauses with jitter, begun anew after a stream that lived longer than the longest of them."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._failures = 0

    def after(self, lived_seconds: float) -> float:
        """Return the pause, in seconds, after a stream that lived so long."""
        shortest, longest = BACKOFF_SECONDS
        self._failures = 0 if lived_seconds > longest else self._failures + 1
        return pause_seconds(self._failures, 2 * shortest, longest, self._rng.random())


class Asker(threading.Thread):
    """Asks for passes: the first event of a burst at once, the rest together when the window has passed.

    A daemon may say an event before its listing shows it: it is looked at again, twice, after the last event.
    """

    def __init__(self, ask: Callable[[str, PassRequest], None], window_seconds: float) -> None:
        super().__init__(name="asker", daemon=True)
        self._ask = ask
        self._window = window_seconds
        self._changed = threading.Condition()
        # by host, then by pause: when it is due, and the daemon's time of the first event it answers
        self._wanted: dict[str, dict[float, tuple[float, int | None]]] = {}
        self._not_before: dict[str, float] = {}
        self._stopped = False
        self.asked: dict[str, int] = {}
        self.failing_since: float | None = None

    def want(self, host: str, event_ns: int | None = None, *, pause: float = 0.0) -> None:
        """Ask for a pass of a host after a pause, in seconds, when its window allows; never blocks on the network."""
        due = time.monotonic() + pause
        with self._changed:
            wants = self._wanted.setdefault(host, {})
            first_due, first_ns = wants.get(pause, (due, None))
            # the last look moves with the last event; the others do not, or a storm would put them off for ever
            due = due if pause == SETTLED_SECONDS else first_due
            wants[pause] = (due, event_ns if first_ns is None else first_ns)
            self._changed.notify()

    def want_settled(self, host: str, event_ns: int | None, *, is_early: bool = False) -> None:
        """Ask at once, and again when the daemon's listing is sure to have caught up with its last event.

        An event that the daemon says early is answered by the second look, and its time goes with that.
        """
        self.want(host, None if is_early else event_ns)
        self.want(host, event_ns if is_early else None, pause=self._window)
        self.want(host, pause=SETTLED_SECONDS)

    def stop(self) -> None:
        """End the thread."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def run(self) -> None:
        """Ask until stopped."""
        while (due := self._next()) is not None:
            host, event_ns = due
            try:
                self._ask(host, PassRequest(Trigger.EVENT, event_ns))
            except (LockUnavailable, OperationalError) as error:
                self._try_again(host, event_ns, error)
            else:
                self.failing_since = None
                self.asked[host] = self.asked.get(host, 0) + 1
                self._not_before[host] = time.monotonic() + self._window

    def _next(self) -> tuple[str, int | None] | None:
        with self._changed:
            while not self._stopped:
                now = time.monotonic()
                host = min(self._wanted, key=self._due, default=None)
                if host is not None and self._due(host) <= now:
                    return host, self._take(host, now)
                self._changed.wait(None if host is None else self._due(host) - now)
        return None

    def _take(self, host: str, now: float) -> int | None:
        wants = self._wanted[host]
        taken = [wants.pop(pause)[1] for pause, (due, _) in list(wants.items()) if due <= now]
        if not wants:
            del self._wanted[host]
        return min((event_ns for event_ns in taken if event_ns is not None), default=None)

    def _due(self, host: str) -> float:
        first = min(due for due, _ in self._wanted[host].values())
        return max(first, self._not_before.get(host, 0.0))

    def _try_again(self, host: str, event_ns: int | None, error: Exception) -> None:
        if self.failing_since is None:
            self.failing_since = time.monotonic()
            logger.warning("%s; asking again every %g s", error, RETRY_SECONDS, extra={"action": "ask_failed"})
        self._not_before[host] = time.monotonic() + RETRY_SECONDS
        self.want(host, event_ns)


class HostWatch(threading.Thread):
    """Follows one host's stream, whatever happens to it, until stopped."""

    def __init__(self, engine: Engine, asker: Asker) -> None:
        super().__init__(name=f"watch-{engine.host}", daemon=True)
        self.engine = engine
        self.watching_since: datetime | None = None
        self.events_seen = 0
        self.failure: BaseException | None = None
        self._asker = asker
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret
        self._stopping = threading.Event()
        self._stream: EventStream | None = None
        self._heard_at = self._end_at = 0.0
        self._ended_by_us = False
        self._trouble = ""

    def run(self) -> None:
        """Follow stream after stream."""
        backoff = Backoff(self._rng)
        try:
            while not self._stopping.is_set():
                began = time.monotonic()
                trouble = self._follow()
                pause = backoff.after(time.monotonic() - began)
                if trouble:
                    self._warn(trouble, pause)
                    self._stopping.wait(pause)
        except BaseException as error:
            self.failure = error
            raise

    def check(self, now: float) -> None:
        """End a stream that has been silent, or open, for too long."""
        if self.watching_since and (now - self._heard_at > SILENCE_SECONDS or now > self._end_at):
            self._ended_by_us = True
            self._end_stream()

    def stop(self) -> None:
        """Make the thread end soon."""
        self._stopping.set()
        self._end_stream()

    def _follow(self) -> str:
        """Follow one stream to its end; return what went wrong, or nothing if it was ended on purpose."""
        self._ended_by_us = False
        try:
            self._read_stream()
            trouble = "the event stream ended"
        except EngineUnavailable as error:
            trouble = error.trouble
        except BadStream as error:
            trouble = f"the event stream holds {error}"
        return "" if self._ended_by_us or self._stopping.is_set() else trouble

    def _read_stream(self) -> None:
        stream = self._stream = self.engine.events(SILENCE_SECONDS + 10)
        try:
            self._begin()
            reader = EventReader()
            for chunk in stream:
                self._heard_at = time.monotonic()
                self._note(reader, chunk)
        finally:
            self.watching_since = self._stream = None
            stream.close()

    def _begin(self) -> None:
        self._heard_at = time.monotonic()
        self._end_at = self._heard_at + self._rng.uniform(*STREAM_SECONDS)
        self.watching_since = timezone.now()
        # only now: what happens from here on is announced, what happened before is in the listing
        self._asker.want(self.engine.host)
        if self._stopping.is_set():
            self._end_stream()
        if self._trouble:
            logger.info("host %s: watching again", self.engine.host, extra={"action": "watching"})
            self._trouble = ""

    def _note(self, reader: EventReader, chunk: bytes) -> None:
        events = reader.feed(chunk)
        self.events_seen += len(events)
        for is_early in (False, True):
            times = [event.at_ns for event in events if event.is_early is is_early]
            if times:
                self._asker.want_settled(self.engine.host, times[0], is_early=is_early)

    def _end_stream(self) -> None:
        stream = self._stream
        if stream is not None:
            stream.end()

    def _warn(self, trouble: str, pause: float) -> None:
        level = logging.DEBUG if trouble == self._trouble else logging.WARNING
        self._trouble = trouble
        text = "host %s: not watching: %s; trying again in %.1f s"
        logger.log(level, text, self.engine.host, trouble, pause, extra={"action": "not_watching"})


class Watcher:
    """Watches every enabled host, or those named, until stopped."""

    def __init__(
        self, ask: Callable[[str, PassRequest], None], window_seconds: float, only: Iterable[str] = ()
    ) -> None:
        self._only = frozenset(only)
        self._asker = Asker(ask, window_seconds)
        self._watches: dict[str, HostWatch] = {}
        self._recorded: dict[str, tuple[datetime | None, int, int]] = {}
        self._database_failing_since: float | None = None
        self.stopping = threading.Event()

    def run(self) -> None:
        """Watch until `stopping` is set. Raises CannotWatch."""
        self._asker.start()
        refresh_at = 0.0
        try:
            while not self.stopping.is_set():
                now = time.monotonic()
                if now >= refresh_at:
                    self._refresh(now)
                    refresh_at = now + REFRESH_SECONDS
                for watch in self._watches.values():
                    watch.check(now)
                if any(self._is_news(watch) for watch in self._watches.values()):
                    refresh_at = now
                self._require_health(now)
                self.stopping.wait(1.0)
        finally:
            self._shut_down()

    def _refresh(self, now: float) -> None:
        """Pick up hosts that came, went or changed, and write the record."""
        close_old_connections()
        try:
            hosts = Host.objects.filter(enabled=True)
            wanted = {host.name: engine_of(host) for host in hosts if not self._only or host.name in self._only}
            self._drop(name for name, watch in self._watches.items() if wanted.get(name) != watch.engine)
            for name in wanted.keys() - self._watches.keys():
                self._watches[name] = HostWatch(wanted[name], self._asker)
                self._watches[name].start()
            self._record()
            self._database_failing_since = None
        except DatabaseError as error:
            if self._database_failing_since is None:
                self._database_failing_since = now
                logger.warning("the database does not answer (%s)", error, extra={"action": "database_failed"})

    def _drop(self, names: Iterable[str]) -> None:
        gone = [self._watches.pop(name) for name in list(names)]
        for watch in gone:
            _, _, asks = self._recorded.pop(watch.engine.host, (None, 0, 0))
            self._recorded[watch.engine.host] = (None, 0, asks)
        for watch in gone:
            watch.stop()
        deadline = time.monotonic() + JOIN_SECONDS
        for watch in gone:
            watch.join(timeout=max(0.0, deadline - time.monotonic()))
        store.note_not_watched([watch.engine.host for watch in gone])

    def _is_news(self, watch: HostWatch) -> bool:
        """Tell whether the record says watched of a host that is not, or the other way round."""
        since, _, _ = self._recorded.get(watch.engine.host, (None, 0, 0))
        return (since is None) != (watch.watching_since is None)

    def _record(self) -> None:
        """Write one heartbeat for all, and what is new of single hosts."""
        now = timezone.now()
        store.note_watchers_alive([name for name, watch in self._watches.items() if watch.watching_since], now)
        for name, watch in self._watches.items():
            record = (watch.watching_since, watch.events_seen, self._asker.asked.get(name, 0))
            before = self._recorded.get(name, (None, 0, 0))
            if record != before:
                store.note_watch(
                    name, since=record[0], events=record[1] - before[1], asks=record[2] - before[2], at=now
                )
                self._recorded[name] = record

    def _require_health(self, now: float) -> None:
        if not self._asker.is_alive():
            raise CannotWatch("the thread that asks for passes has died; its error is above")
        for name, watch in self._watches.items():
            if watch.failure is not None:
                raise CannotWatch(f"the thread that watches host {name} has died: {watch.failure!r}")
        for what, since in (("Redis", self._asker.failing_since), ("the database", self._database_failing_since)):
            if since is not None and now - since > PATIENCE_SECONDS:
                raise CannotWatch(f"{what} has not answered for {PATIENCE_SECONDS:g} s")

    def _shut_down(self) -> None:
        self._asker.stop()
        try:
            self._drop(self._watches)
        except DatabaseError as error:
            logger.warning("the end of the watch was not recorded (%s)", error, extra={"action": "database_failed"})
