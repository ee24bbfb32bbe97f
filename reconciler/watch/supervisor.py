"""The watcher: for each host that is its own a thread that follows its events, and a record of how that goes.

Watchers share the hosts, see `roster`. One host's trouble never ends a watcher. It ends only when it cannot work at
all: the thread that asks for passes has died, or Redis or the database has not answered for a long time, also at the
start.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable

from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.utils import timezone

from reconciler.conf import engine_of
from reconciler.core.shares import LAPSE_SECONDS
from reconciler.engine import Engine
from reconciler.exceptions import CannotWatch, UnknownHost
from reconciler.lock import PassRequest
from reconciler.models import Host
from reconciler.watch.asker import Asker
from reconciler.watch.record import Record
from reconciler.watch.roster import Roster
from reconciler.watch.stream import HostWatch

logger = logging.getLogger(__name__)

BEAT_SECONDS = 2.0
"""How often a watcher says that it lives, and hears who else does."""
REFRESH_SECONDS = 5.0
"""How often hosts are read and the record of the watch is written."""
JOIN_SECONDS = 3.0
"""How long to wait for all threads together to end, because they may hang on the network."""
PATIENCE_SECONDS = 120.0
"""How long the database or Redis may fail before the watcher gives up, so that its supervisor notices."""


class Watcher:
    """Watches its share of the enabled hosts, or of those named, until stopped."""

    def __init__(
        self, ask: Callable[[str, PassRequest, tuple[int, ...]], None], window_seconds: float, only: Iterable[str] = ()
    ) -> None:
        self._only = frozenset(only)
        self._asker = Asker(ask, window_seconds)
        self._watches: dict[str, HostWatch] = {}
        self._roster = Roster(self._only)
        self._record = Record()
        self._refresh_at = 0.0
        self._unwatchable: dict[str, str] = {}
        self._without_thread: set[str] = set()
        self._has_read_hosts = False
        self._database_failing_since: float | None = None
        self.stopping = threading.Event()

    def run(self) -> None:
        """Watch until `stopping` is set. Raises CannotWatch, and UnknownHost for a name that no host has."""
        self._asker.start()
        turn_at = 0.0
        try:
            while not self.stopping.is_set():
                now = time.monotonic()
                if self._has_news():
                    self._refresh_at = now
                if now >= min(turn_at, self._refresh_at):
                    self._take_turn(now)
                    turn_at = now + BEAT_SECONDS
                for watch in self._watches.values():
                    watch.check(now)
                self._require_health(now)
                self.stopping.wait(1.0)
        finally:
            self._shut_down()

    def _take_turn(self, now: float) -> None:
        """Beat, and refresh if it is time or if hosts are to be shared anew. Only then is the asker trusted again."""
        close_old_connections()
        try:
            if not self._roster.beat(now):
                self._refresh_at = now
            if now >= self._refresh_at:
                self._refresh(now)
                self._refresh_at = now + REFRESH_SECONDS
            self._asker.trust_until(now + LAPSE_SECONDS)
            self._database_failing_since = None
        except DatabaseError as error:
            if self._database_failing_since is None:
                self._database_failing_since = now
                logger.warning("the database does not answer (%s)", error, extra={"action": "database_failed"})

    def _refresh(self, now: float) -> None:
        """Follow new and changed hosts, drop those that are gone, replace dead watches, and write the record."""
        hosts = self._hosts_to_watch()
        mine = self._roster.settle({host.name: host.watcher for host in hosts.values()}, now)
        me = self._roster.me
        # of a host that has just been taken nobody says that it is watched
        self._record.read({name: hosts[name].watching_since if hosts[name].watcher == me else None for name in mine})
        wanted = self._engines([host for name, host in hosts.items() if name in mine])
        self._drop(
            name for name, watch in self._watches.items() if wanted.get(name) != watch.engine or not watch.is_alive()
        )
        found = {name: watch.status() for name, watch in self._watches.items()}
        self._record.write(me, found, self._asker.status().asked, timezone.now())
        for name in wanted.keys() - self._watches.keys():
            self._begin(wanted[name])

    def _hosts_to_watch(self) -> dict[str, Host]:
        """Return the enabled hosts. Raises UnknownHost if one was named that did not exist at the start."""
        hosts = _read_hosts()
        if not self._has_read_hosts:
            known = [host.name for host in hosts]
            if unknown := sorted(self._only.difference(known)):
                raise UnknownHost(unknown, known)
            self._has_read_hosts = True
        return {host.name: host for host in hosts if host.enabled}

    def _engines(self, hosts: Iterable[Host]) -> dict[str, Engine]:
        """Return the Engines of hosts. A host whose settings give no Engine is left out, with one warning."""
        engines: dict[str, Engine] = {}
        unwatchable: dict[str, str] = {}
        for host in hosts:
            try:
                engines[host.name] = engine_of(host)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one host must not touch the others (I15)
                unwatchable[host.name] = str(error) or type(error).__name__
        for name, trouble in unwatchable.items():
            if self._unwatchable.get(name) != trouble:
                logger.warning("host %s: cannot be watched: %s", name, trouble, extra={"action": "not_watching"})
        self._unwatchable = unwatchable
        return engines

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
            self._asker.forget(watch.engine.host)
            watch.stop()
        deadline = time.monotonic() + JOIN_SECONDS
        for watch in gone:
            watch.join(timeout=max(0.0, deadline - time.monotonic()))
        self._record.end(self._roster.me, [watch.engine.host for watch in gone])

    def _has_news(self) -> bool:
        """Tell whether the record of a host says that it is watched while it is not, or the other way round."""
        return any(self._record.is_news(name, watch.status()) for name, watch in self._watches.items())

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
            self._roster.leave()
        except DatabaseError as error:
            logger.warning("the end of the watch was not recorded (%s)", error, extra={"action": "database_failed"})


def _read_hosts() -> list[Host]:
    return list(Host.objects.all())
