"""Single flight: of each host's passes one is made at a time, and one more for what is asked meanwhile."""

import contextlib
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from django.utils import timezone

from reconciler import store
from reconciler.conf import engine_of, lock_of
from reconciler.core.report import Outcome, Report, Trigger
from reconciler.exceptions import LockUnavailable
from reconciler.lock import HostLock, Lease, PassRequest
from reconciler.models import Host
from reconciler.reconcile import reconcile

logger = logging.getLogger(__name__)

MOST_ROUNDS = 10
"""How many passes one holder makes in a row before it leaves further requests to another worker."""
LATE_EVENTS_SECONDS = 0.5
"""How long after a tick an event may still arrive that announces what the tick found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """The passes that one holder made; if `again` is a request, the caller has to start a pass for it."""

    reports: tuple[Report, ...] = ()
    again: PassRequest | None = None

    @property
    def confirm_after(self) -> float | None:
        """In how many seconds the caller has to start a pass that confirms what is held, or None."""
        due = [report.confirm_after for report in self.reports if report.confirm_after is not None]
        return due[-1] if due else None


def reconcile_in_turn(host: Host, *, trigger: Trigger, only_if_asked: bool = False) -> Flight:
    """Make the host's next pass if none is under way, and one more for what is asked meanwhile (I12).

    With `only_if_asked`, no pass is made if nothing is asked any more. Raises LockUnavailable.
    """
    lock = lock_of(host.name)
    grant = lock.acquire(only_if_asked=only_if_asked)
    if grant is None:
        return Flight(reports=() if only_if_asked else (Report(host=host.name, trigger=trigger, outcome=Outcome.BUSY),))
    with lock.renewed():
        return _hold(host, lock, grant, trigger)


def _hold(host: Host, lock: HostLock, grant: Lease | None, trigger: Trigger) -> Flight:
    """Make passes until nothing is asked any more, then let go of the lock."""
    reports: list[Report] = []
    again: PassRequest | None = None
    lister = engine_of(host)
    try:
        while grant and len(reports) < MOST_ROUNDS:
            ask = grant.asked or PassRequest(trigger)
            report = reconcile(host, lister, trigger=ask.trigger, event_at=_moment(ask.event_ns))
            reports.append(report)
            # whoever holds the lock is never told to start a pass: if that happens, the lock was lost
            again = ask if report.conflicts and lock.request(ask) else again
            if report.latency_ms is not None:
                lock.note_latency(report.latency_ms)
            grant = lock.release_unless_asked()
        if grant and grant.asked:
            again = _hand_over(lock, grant.asked)
    except LockUnavailable as error:
        # the fence keeps overlapping passes correct, and the next tick answers what was asked meanwhile
        logger.warning("%s; passes of host %s go on without it", error, host.name, extra={"action": "lock_lost"})
    finally:
        with contextlib.suppress(LockUnavailable):
            lock.release()
    for report in reports:
        _note_drift(host, lock, report)
    return Flight(reports=tuple(reports), again=again)


def _moment(at_ns: int | None) -> datetime | None:
    return None if at_ns is None else datetime.fromtimestamp(at_ns / 1e9, UTC)


def _note_drift(host: Host, lock: HostLock, report: Report) -> None:
    """Count changes that a tick found although the host was watched and no event had announced them.

    Called when the lock has been released, because an event may come a moment after the tick.
    """
    since, looked_at = host.last_success_at, report.started_at
    if report.trigger != Trigger.TICK or host.watching_since is None or since is None or looked_at is None:
        return
    news = sum(change.is_news_since(since) for change in report.changes)
    now = Host.objects.filter(name=host.name).first() if news else None
    if now is None or not now.is_watched(timezone.now()) or now.watching_since is None or now.watching_since > since:
        return
    time.sleep(LATE_EVENTS_SECONDS)
    seen_until = looked_at.timestamp() + report.seconds
    with contextlib.suppress(LockUnavailable):
        if not any(since.timestamp() <= event_ns / 1e9 <= seen_until for event_ns in lock.events()):
            store.note_drift(host.name, news, timezone.now())


def _hand_over(lock: HostLock, ask: PassRequest) -> PassRequest | None:
    """Leave the request that was just taken to another holder; return it if the caller has to start a pass for it."""
    lock.request(ask)
    lock.release()
    return ask if lock.request(ask) else None
