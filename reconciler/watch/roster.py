"""This watcher among the others: the row by which it lives, who else does, and which hosts it takes and hands over.

Every change is a conditional UPDATE or DELETE: of two watchers that want the same, one finds that it was too late. To
be followed by two watchers does a host no harm, it only costs a connection and some passes. To be followed by none
costs it up to an interval. So a host that is handed over is followed until its new watcher has had time to begin.
"""

import logging
import os
import secrets
import socket
from collections import defaultdict
from collections.abc import Collection, Mapping

from django.db import transaction
from django.db.models import Exists, F, OuterRef

from reconciler.core.shares import Heard, fair_shares
from reconciler.models import Host, LiveWatcher

logger = logging.getLogger(__name__)

HANDOVER_SECONDS = 8.0
"""How long a host that was handed over is still followed. Its new watcher reads the hosts more often than that."""
MAX_MACHINE_CHARS = 64


class Roster:
    """Who watches. For one thread only; every method raises DatabaseError."""

    def __init__(self, told: Collection[str]) -> None:
        self.me = ""
        self._told = sorted(told)
        self._heard = Heard()
        self._watchers: dict[str, frozenset[str]] = {}
        self._handed_over: dict[str, float] = {}

    def beat(self, now: float) -> bool:
        """Say that this watcher lives, and hear who else does; return whether it is as it was before.

        If not, then hosts are to be shared anew. A watcher whose row is gone was taken for dead; it gets a new name,
        and so has no host.
        """
        before = self._watchers
        if not (self.me and LiveWatcher.objects.filter(name=self.me).update(beats=F("beats") + 1)):
            self._register()
        found = {name: (beats, told) for name, beats, told in LiveWatcher.objects.values_list("name", "beats", "told")}
        self._heard = self._heard.hear({name: beats for name, (beats, _) in found.items()}, now)
        silent = self._heard.silent(now) - {self.me}
        self._watchers = {name: frozenset(told) for name, (_, told) in found.items() if name not in silent}
        for name in silent:
            self._bury(name, found[name][0])
        return self._watchers == before

    def settle(self, hosts: Mapping[str, str], now: float) -> set[str]:
        """Take and hand over hosts so that the shares become fair; return which hosts to follow now.

        `hosts` are all hosts that are to be watched, with the names of their watchers.
        """
        shares = fair_shares(hosts, self._watchers)
        mine = {host for host, name in hosts.items() if name == self.me}
        wanted = {host for host, name in shares.items() if name == self.me}
        free = [host for host in wanted - mine if hosts[host] not in self._watchers]
        self._hand_over({host: shares[host] for host in mine if host in shares and host not in wanted}, now)
        self._handed_over = {host: end for host, end in self._handed_over.items() if now < end and host in hosts}
        return (mine & wanted) | self._take(free) | self._handed_over.keys()

    def leave(self) -> None:
        """Give up all hosts at once, so that others need not wait."""
        Host.objects.filter(watcher=self.me).exclude(watcher="").update(watcher="", watching_since=None)
        LiveWatcher.objects.filter(name=self.me).delete()

    def _register(self) -> None:
        if self.me:
            logger.warning("watcher %s was taken for dead and begins anew", self.me, extra={"action": "watcher_lost"})
        machine = socket.gethostname()[:MAX_MACHINE_CHARS]
        name = f"{machine}-{os.getpid()}-{secrets.token_hex(4)}"
        LiveWatcher.objects.create(name=name, told=self._told)
        self.me, self._handed_over = name, {}

    def _bury(self, name: str, beats: int) -> None:
        """Delete the row of a silent watcher, unless it has just spoken."""
        gone, _ = LiveWatcher.objects.filter(name=name, beats=beats).delete()
        if gone:
            text = "watcher %s says nothing any more; the others take its hosts"
            logger.warning(text, name, extra={"action": "watcher_silent"})

    def _take(self, free: Collection[str]) -> set[str]:
        """Take hosts whose watchers are gone; return which were still to be had."""
        if not free:
            return set()
        is_watched = Exists(LiveWatcher.objects.filter(name=OuterRef("watcher")))
        hosts = Host.objects.filter(~is_watched, name__among=free)
        with transaction.atomic():
            # in one order, so that two watchers that want the same cannot wait for each other
            locked = hosts.select_for_update(no_key=True).order_by("name")
            taken = list(locked.values_list("name", flat=True))
            Host.objects.filter(name__among=taken).update(watcher=self.me, watching_since=None)
        return set(taken)

    def _hand_over(self, hosts: Mapping[str, str], now: float) -> None:
        """Make hosts over to others that have fewer; each is still followed until its new watcher has begun."""
        by_taker: dict[str, list[str]] = defaultdict(list)
        for host, taker in hosts.items():
            by_taker[taker].append(host)
        for taker, names in by_taker.items():
            Host.objects.filter(name__among=names, watcher=self.me).update(watcher=taker)
            self._handed_over |= dict.fromkeys(names, now + HANDOVER_SECONDS)
