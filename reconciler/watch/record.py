"""The record of the watch of each host in the database. An event never leads to a write.

A watcher writes about the hosts that are its own. Of one that it has lost meanwhile, another watcher writes.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import F

from reconciler.models import Host
from reconciler.watch.stream import StreamStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recorded:
    """What the database was last told about the watch of one host."""

    watching_since: datetime | None = None
    events_seen: int = 0
    asked: int = 0


class Record:
    """What was written so far, so that only news is written."""

    def __init__(self) -> None:
        self._recorded: dict[str, _Recorded] = {}

    def read(self, since: Mapping[str, datetime | None]) -> None:
        """Take over what the database says of these hosts: another watcher may have written it, or may have left."""
        for host, watching_since in since.items():
            before = self._recorded.get(host, _Recorded())
            self._recorded[host] = replace(before, watching_since=watching_since)

    def is_news(self, host: str, status: StreamStatus) -> bool:
        """Tell whether the record says that the host is watched while it is not, or the other way round."""
        recorded = self._recorded.get(host, _Recorded())
        return (recorded.watching_since is None) != (status.watching_since is None)

    def write(self, watcher: str, found: Mapping[str, StreamStatus], asked: Mapping[str, int], at: datetime) -> None:
        """Write one heartbeat for all hosts that this watcher follows, and what has changed for single hosts."""
        followed = [name for name, status in found.items() if status.watching_since]
        own = Host.objects.filter(watcher=watcher)
        if followed:
            own.filter(name__among=followed).update(watcher_alive_at=at)
        for name, status in found.items():
            before = self._recorded.get(name, _Recorded())
            news = _Recorded(
                watching_since=status.watching_since, events_seen=status.events_seen, asked=asked.get(name, 0)
            )
            if news != before:
                own.filter(name=name).update(
                    watching_since=news.watching_since,
                    watcher_alive_at=at,
                    events_seen=F("events_seen") + news.events_seen - before.events_seen,
                    passes_asked=F("passes_asked") + news.asked - before.asked,
                )
                self._recorded[name] = news

    def end(self, watcher: str, hosts: Collection[str]) -> None:
        """Record that this watcher does not follow the events of these hosts any more."""
        for host in hosts:
            self._recorded[host] = _Recorded(asked=self._recorded.get(host, _Recorded()).asked)
        if hosts:
            Host.objects.filter(name__among=hosts, watcher=watcher).update(watching_since=None)
