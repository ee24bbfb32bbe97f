"""I/O: drift, which is a change that a tick found on a watched host although no event had announced it.

It is a statistic, and a hint that events are lost. No pass waits for it, and nothing depends on it.
"""

from dataclasses import dataclass

from django.utils import timezone

from reconciler import store
from reconciler.conf import lock_of
from reconciler.core.report import Report, Trigger
from reconciler.models import Host

LATE_EVENTS_SECONDS = 0.5
"""How long after a tick an event may still arrive that announces what the tick found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """This many changes are drift, unless an event from this time still arrives. Times are in seconds since 1970."""

    host: str
    changes: int
    since: float
    until: float


def suspicion(host: Host, report: Report) -> Suspicion | None:
    """Return what looks like drift in the report of a pass, or None; `host` is its row as it was before the pass."""
    since, looked_at = host.last_success_at, report.started_at
    if report.trigger != Trigger.TICK or host.watching_since is None or since is None or looked_at is None:
        return None
    changes = sum(change.is_news_since(since) for change in report.changes)
    if not changes:
        return None
    until = looked_at.timestamp() + report.seconds
    return Suspicion(host=host.name, changes=changes, since=since.timestamp(), until=until)


def judge(found: Suspicion) -> None:
    """Count these changes as drift if the host was watched all the time and no event has announced them.

    Raises LockUnavailable.
    """
    host = Host.objects.filter(name=found.host).first()
    now = timezone.now()
    if host is None or host.watching_since is None or not host.is_watched(now):
        return
    if host.watching_since.timestamp() > found.since:
        return
    if not any(found.since <= event_ns / 1e9 <= found.until for event_ns in lock_of(host.name).events()):
        store.note_drift(host.name, found.changes, now)
