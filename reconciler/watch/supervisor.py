"""The watcher: for each enabled host a thread that follows its events, and a record of how that goes.

One host's trouble never ends it. It ends only when it cannot work at all: the thread that asks for passes has died, or
Redis or the database has not answered for a long time, also at the start.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.utils import timezone

from reconciler import store
from reconciler.conf import engine_of
from reconciler.engine import Engine
from reconciler.exceptions import CannotWatch, UnknownHost
from reconciler.lock import PassRequest
from reconciler.models import Host
from reconciler.watch.asker import Asker
from reconciler.watch.stream import HostWatch

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 5.0
"""How often hosts are read and the record of the watch is written; an event never leads to a write."""
JOIN_SECONDS = 3.0
"""How long to wait for all threads together to end, because they may hang on the network."""
PATIENCE_SECONDS = 120.0
"""How long the database or Redis may fail before the watcher gives up, so that its supervisor notices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recorded:
    """What the database was last told about the watch of one host."""

    watching_since: datetime | None = None
    events_seen: int = 0
    asked: int = 0


class Watcher:
    """Watches every enabled host, or those named, until stopped."""

    def __init__(
        self, ask: Callable[[str, PassRequest, tuple[int, ...]], None], window_seconds: float, only: Iterable[str] = ()
    ) -> None:
        self._only = frozenset(only)
        self._asker = Asker(ask, window_seconds)
        self._watches: dict[str, HostWatch] = {}
        self._recorded: dict[str, _Recorded] = {}
        self._unwatchable: dict[str, str] = {}
        self._without_thread: set[str] = set()
        self._has_read_hosts = False
        self._database_failing_since: float | None = None
        self.stopping = threading.Event()

    def run(self) -> None:
        """Watch until `stopping` is set. Raises CannotWatch, and UnknownHost for a name that no host has."""
        self._asker.start()
        refresh_at = 0.0
        try:
            while not self.stopping.is_set():
                now = time.monotonic()
                if now >= refresh_at or any(map(self._is_news, self._watches.values())):
                    self._refresh(now)
                    refresh_at = now + REFRESH_SECONDS
                for watch in self._watches.values():
                    watch.check(now)
                self._require_health(now)
                self.stopping.wait(1.0)
        finally:
            self._shut_down()

    def _refresh(self, now: float) -> None:
        """Follow new and changed hosts, drop those that are gone, replace dead watches, and write the record."""
        close_old_connections()
        try:
            wanted = self._wanted_engines()
            self._drop(
                name
                for name, watch in self._watches.items()
                if wanted.get(name) != watch.engine or not watch.is_alive()
            )
            for name in wanted.keys() - self._watches.keys():
                self._begin(wanted[name])
            self._record()
            self._database_failing_since = None
        except DatabaseError as error:
            if self._database_failing_since is None:
                self._database_failing_since = now
                logger.warning("the database does not answer (%s)", error, extra={"action": "database_failed"})

    def _wanted_engines(self) -> dict[str, Engine]:
        """Return the Engines to watch. A host whose settings give no Engine is left out, with one warning."""
        hosts = _read_hosts()
        if not self._has_read_hosts:
            self._require_known(hosts)
            self._has_read_hosts = True
        engines: dict[str, Engine] = {}
        unwatchable: dict[str, str] = {}
        for host in hosts:
            if not host.enabled or (self._only and host.name not in self._only):
                continue
            try:
                engines[host.name] = engine_of(host)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one host must not touch the others (I15)
                unwatchable[host.name] = str(error) or type(error).__name__
        for name, trouble in unwatchable.items():
            if self._unwatchable.get(name) != trouble:
                logger.warning("host %s: cannot be watched: %s", name, trouble, extra={"action": "not_watching"})
        self._unwatchable = unwatchable
        return engines

    def _require_known(self, hosts: Iterable[Host]) -> None:
        """Raise UnknownHost if a host was named that does not exist."""
        known = [host.name for host in hosts]
        if unknown := sorted(self._only.difference(known)):
            raise UnknownHost(unknown, known)

    def _begin(self, engine: Engine) -> None:
        """Follow a host's events. Where no more threads can be had, ticks alone look at it, and it is tried again."""
        watch = HostWatch(engine, self._asker)
        try:
            watch.start()
        except RuntimeError as error:
            level = logging.DEBUG if engine.host in self._without_thread else logging.WARNING
            extra = {"action": "not_watching"}
            logger.log(level, "host %s: cannot be watched: %s", engine.host, error, extra=extra)
            self._without_thread.add(engine.host)
        else:
            self._without_thread.discard(engine.host)
            self._watches[engine.host] = watch

    def _drop(self, names: Iterable[str]) -> None:
        """End the watches of these hosts, and record that the hosts are not watched any more."""
        gone = [self._watches.pop(name) for name in list(names)]
        for watch in gone:
            host = watch.engine.host
            self._asker.forget(host)
            self._recorded[host] = _Recorded(asked=self._recorded.get(host, _Recorded()).asked)
            watch.stop()
        deadline = time.monotonic() + JOIN_SECONDS
        for watch in gone:
            watch.join(timeout=max(0.0, deadline - time.monotonic()))
        store.note_not_watched([watch.engine.host for watch in gone])

    def _is_news(self, watch: HostWatch) -> bool:
        """Tell whether the record says that the host is watched while it is not, or the other way round."""
        recorded = self._recorded.get(watch.engine.host, _Recorded())
        return (recorded.watching_since is None) != (watch.status().watching_since is None)

    def _record(self) -> None:
        """Write one heartbeat for all watched hosts, and what has changed for single hosts."""
        now = timezone.now()
        asked = self._asker.status().asked
        found = {name: watch.status() for name, watch in self._watches.items()}
        store.note_watchers_alive([name for name, status in found.items() if status.watching_since], now)
        for name, status in found.items():
            news = _Recorded(
                watching_since=status.watching_since, events_seen=status.events_seen, asked=asked.get(name, 0)
            )
            before = self._recorded.get(name, _Recorded())
            if news != before:
                events, asks = news.events_seen - before.events_seen, news.asked - before.asked
                store.note_watch(name, since=news.watching_since, events=events, asks=asks, at=now)
                self._recorded[name] = news

    def _require_health(self, now: float) -> None:
        """Raise CannotWatch if the watcher cannot do its work any more."""
        if not self._asker.is_alive():
            raise CannotWatch("the thread that asks for passes has died; its error is above")
        failing = {"Redis": self._asker.status().failing_since, "the database": self._database_failing_since}
        for what, since in failing.items():
            if since is not None and now - since > PATIENCE_SECONDS:
                raise CannotWatch(f"{what} has not answered for {PATIENCE_SECONDS:g} s")

    def _shut_down(self) -> None:
        self._asker.stop()
        try:
            self._drop(self._watches)
        except DatabaseError as error:
            logger.warning("the end of the watch was not recorded (%s)", error, extra={"action": "database_failed"})


def _read_hosts() -> list[Host]:
    return list(Host.objects.all())
