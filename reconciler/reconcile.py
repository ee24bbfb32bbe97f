"""One pass over one host, and the single flight that passes of a host take turns in.

The only place that strings observe, dispatch, plan and apply together; tasks, commands and the
admin are shims over it.
"""

import contextlib
import logging
import time
from collections import Counter
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from django.db import Error as DatabaseError
from django.utils import timezone

from reconciler import store
from reconciler.conf import engine_of, lock_of, refresh_after
from reconciler.dispatch import Row, Sighting, claim_all, dispatch, needs_of
from reconciler.exceptions import EngineUnavailable, LockUnavailable
from reconciler.lock import Ask, Grant, HostLock
from reconciler.models import Host
from reconciler.observation import Skip, Snapshot
from reconciler.plan import Change, Kind, Plan, make_plan

logger = logging.getLogger(__name__)

BOOT, TICK, EVENT, MANUAL = "boot", "tick", "event", "manual"

MOST_ROUNDS = 10
"""Passes one holder makes in a row before it leaves further requests to the next worker."""
LATE_EVENTS_SECONDS = 0.5
"""How long after a tick an event may still come in that announces what the tick found."""


class EngineLister(Protocol):
    """What a pass needs of an Engine."""

    def listing(self) -> Snapshot:
        """Return one complete listing. Raises EngineUnavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one pass did: outcome `applied`, `busy`, `superseded`, `failed` or, of a dry run, `planned`.

    `conflicts` counts changes dropped because somebody was faster; it is at least 1 if an older pass
    applied meanwhile. Another pass then looks again.
    """

    host: str
    trigger: str
    outcome: str
    listed: int = 0
    managed: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    missing: int = 0
    conflicts: int = 0
    skips: tuple[Skip, ...] = ()
    started_at: datetime | None = None
    seconds: float = 0.0
    error: str = ""
    event_at: datetime | None = None
    latency_ms: float | None = None
    changes: tuple[Change, ...] = ()

    def __str__(self) -> str:
        return (
            f"host {self.host}: {self.outcome}, {self.listed} listed, {self.managed} ours: {self.created} created, "
            f"{self.updated} updated, {self.missing} missing, {self.unchanged} unchanged, "
            f"{self.conflicts} conflicts, {len(self.skips)} skipped ({self.trigger}, {self._span})"
        )

    @property
    def _span(self) -> str:
        return f"{self.seconds:.6f} s from {self.started_at.isoformat() if self.started_at else '?'}"

    def with_changes(self, changes: tuple[Change, ...]) -> "Report":
        """Return the report with these changes and their counts."""
        count = Counter(change.kind for change in changes)
        return replace(
            self,
            changes=changes,
            created=count[Kind.CREATE],
            updated=count[Kind.UPDATE],
            missing=count[Kind.MISSING],
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the report in JSON's terms."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("started_at", "event_at"):
            plain[name] = plain[name] and plain[name].isoformat()
        plain["skips"] = [
            {"container_id": skip.container_id, "name": skip.name, "reason": skip.reason, "detail": skip.detail}
            for skip in self.skips
        ]
        plain["changes"] = [
            {"row": change.after.id, "kind": change.kind, "cause": change.cause} for change in self.changes
        ]
        return plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The passes one holder made; `again` is a request that still stands: the caller has to start a pass for it."""

    reports: tuple[Report, ...] = ()
    again: Ask | None = None


def reconcile(host: Host, lister: EngineLister, *, trigger: str, dry_run: bool = False) -> Report:
    """Make one pass over one host, safe to overlap with others (I5, I6); a dry run only plans and writes nothing."""
    started_at, started = timezone.now(), time.perf_counter()
    try:
        report = _pass(host, lister, trigger, dry_run)
    except (EngineUnavailable, DatabaseError) as error:
        report = Report(host=host.name, trigger=trigger, outcome="failed", error=str(error))
        _log_failure(host, error, dry_run)
    return replace(report, started_at=started_at, seconds=round(time.perf_counter() - started, 6))


def reconcile_in_turn(host: Host, *, trigger: str, only_if_asked: bool = False) -> Run:
    """Make the host's next pass if none is under way, and one more for what is asked meanwhile (I12).

    With `only_if_asked` it makes none if the request has been answered already. Raises LockUnavailable.
    """
    lock = lock_of(host.name)
    grant = lock.acquire(only_if_asked=only_if_asked)
    if grant is None:
        return Run(reports=() if only_if_asked else (Report(host=host.name, trigger=trigger, outcome="busy"),))
    with lock.renewed():
        return _hold(host, lock, grant, trigger)


def _hold(host: Host, lock: HostLock, grant: Grant | None, trigger: str) -> Run:
    reports: list[Report] = []
    again: Ask | None = None
    lister = engine_of(host)
    try:
        while grant and len(reports) < MOST_ROUNDS:
            ask = grant.asked or Ask(trigger)
            report = _answer(ask, reconcile(host, lister, trigger=ask.trigger))
            reports.append(report)
            # told to start a pass while holding the lock: it was lost
            again = ask if report.conflicts and lock.request(ask) else again
            if report.latency_ms is not None:
                lock.note_latency(report.latency_ms)
            grant = lock.release_unless_asked()
        if grant and grant.asked:
            again = _hand_over(lock, grant.asked)
    except LockUnavailable as error:
        # the fence keeps overlapping passes correct; what was asked meanwhile, the next tick answers
        logger.warning("%s; passes of host %s go on without it", error, host.name, extra={"action": "lock_lost"})
    finally:
        with contextlib.suppress(LockUnavailable):
            lock.release()
    for report in reports:
        _note_drift(host, lock, report)
    return Run(reports=tuple(reports), again=again)


def _answer(ask: Ask, report: Report) -> Report:
    """Add to a report how long after the event that it answers it was committed."""
    if ask.event_ns is None or report.outcome != "applied":
        return report
    event_at = datetime.fromtimestamp(ask.event_ns / 1e9, UTC)
    # a daemon on another machine has another clock
    latency_ms = max(0.0, (time.time_ns() - ask.event_ns) / 1e6)
    return replace(report, event_at=event_at, latency_ms=round(latency_ms, 3))


def _note_drift(host: Host, lock: HostLock, report: Report) -> None:
    """Count what a tick found although the host's events were followed and none had announced it.

    Called with the lock released; an event may come a moment later than the tick that it announces.
    """
    since, looked_at = host.last_success_at, report.started_at
    if report.trigger != TICK or since is None or looked_at is None:
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


def _hand_over(lock: HostLock, ask: Ask) -> Ask | None:
    """Leave the request just taken to another holder; return it if one has to be started."""
    lock.request(ask)
    lock.release()
    return ask if lock.request(ask) else None


def _pass(host: Host, lister: EngineLister, trigger: str, dry_run: bool) -> Report:
    fence = None if dry_run else store.mint(host.name, timezone.now())
    rows = store.rows_on(host.name)
    seen_at = timezone.now()
    snapshot = lister.listing()
    plan, managed = _decide(host.name, rows, snapshot)
    report = Report(
        host=host.name,
        trigger=trigger,
        outcome="planned",
        listed=snapshot.size,
        managed=managed,
        unchanged=plan.unchanged,
        skips=plan.skips,
    )
    if fence is None:
        return report.with_changes(plan.changes)
    applied = store.apply(plan, fence, seen_at=seen_at, now=timezone.now(), refresh_after=refresh_after())
    if applied is None:
        return replace(report, outcome="superseded")
    conflicts = len(applied.conflicts) or int(applied.overtaken)
    return replace(report, outcome="applied", conflicts=conflicts).with_changes(applied.changes)


def _decide(host: str, rows: list[Row], snapshot: Snapshot) -> tuple[Plan, int]:
    """Dispatch and plan a snapshot; also return how many of its containers are ours."""
    managed, skips = claim_all(snapshot.observations)
    skips += snapshot.refusals
    joins = store.catalogue(needs_of(managed))
    sightings: list[Sighting] = []
    for container in managed:
        found = dispatch(container, joins, host)
        if isinstance(found, Sighting):
            sightings.append(found)
        else:
            skips.append(found)
    own = {row.id for row in rows}
    elsewhere = store.rows_elsewhere((s.row.id for s in sightings if s.row.id not in own), host)
    listed_ids = snapshot.listed_ids if snapshot.names_every_container else None
    return make_plan(rows, sightings, skips, listed_ids, elsewhere), len(managed)


def _log_failure(host: Host, error: EngineUnavailable | DatabaseError, dry_run: bool) -> None:
    """Warn once and then on change; the host's row remembers what was said."""
    is_news = True
    if isinstance(error, EngineUnavailable) and not dry_run:
        with contextlib.suppress(DatabaseError):
            is_news = store.note_failure(host.name, error.reason, timezone.now())
    level = logging.WARNING if is_news else logging.DEBUG
    logger.log(level, "%s; no row was changed", error, extra={"action": "pass_failed", "host": host.name})
