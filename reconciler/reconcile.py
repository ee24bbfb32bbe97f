"""One pass over one host: the only place where all steps of a pass come together."""

import contextlib
import logging
import random
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.conf import settings
from django.db import Error as DatabaseError
from django.utils import timezone

from reconciler import store
from reconciler.apply import PassContext, apply
from reconciler.ask import Inspector, ask
from reconciler.catalogue import catalogue
from reconciler.conf import hold_limits, refresh_after
from reconciler.core.backoff import pause_seconds
from reconciler.core.details import merge_details
from reconciler.core.dispatch import Sighting, claim_all, dispatch_all, lookup_keys
from reconciler.core.inspects import HostRows, in_turn, to_inspect, worth_asking
from reconciler.core.observation import Snapshot
from reconciler.core.plan import Plan, make_plan
from reconciler.core.report import Outcome, Report, Trigger, served
from reconciler.core.safeguard import Evidence, Identity, Verdict, safeguard
from reconciler.exceptions import EngineUnavailable, IndexUnavailable, ReconcilerError, UnknownHost
from reconciler.models import Host
from reconciler.standing import Failure, note_failure
from reconciler.store import Fence, HostRecord

logger = logging.getLogger(__name__)


class EngineSession(Inspector, Protocol):
    """What a pass needs from an Engine; every answer comes from the same daemon."""

    def listing(self) -> Snapshot:
        """Return one complete listing. Raises EngineUnavailable."""

    def identity(self, timeout_seconds: float) -> str:
        """Return the Engine's name for itself; empty if it has no lasting one. Raises EngineUnavailable."""


class EngineLister(Protocol):
    """An Engine that can be asked."""

    def session(self) -> AbstractContextManager[EngineSession]:
        """Connect. Raises EngineUnavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decided:
    """A listing, when it was asked for, and what follows from it for the rows as they were."""

    table: HostRows
    seen_at: datetime
    snapshot: Snapshot
    sightings: list[Sighting]
    managed: int
    plan: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class _UnderWay:
    """A pass that has begun: over which host, what asked for it, and when. `began` serves to measure its time."""

    host: str
    trigger: Trigger
    event_at: datetime | None
    started_at: datetime
    began: float

    def told(self) -> dict[str, Any]:
        """Return what a report says about every pass, however it ended."""
        seconds = round(time.perf_counter() - self.began, 6)
        told = {"host": self.host, "trigger": self.trigger, "event_at": self.event_at}
        return told | {"started_at": self.started_at, "seconds": seconds}


def reconcile(
    host: Host, lister: EngineLister, *, trigger: Trigger, event_at: datetime | None = None, dry_run: bool = False
) -> Report:
    """Make one pass over one host. Passes may overlap without harm (I5, I6). A dry run plans and writes nothing.

    `event_at` is the time of the event that the pass answers, if there was one.
    """
    started_at, began = timezone.now(), time.perf_counter()
    now = _UnderWay(host=host.name, trigger=trigger, event_at=event_at, started_at=started_at, began=began)
    fence = None
    try:
        if dry_run:
            return _dry_pass(now, lister)
        fence = store.next_fence(host.name, started_at)
        return _pass(now, fence, lister)
    except (EngineUnavailable, UnknownHost) as error:
        return _failed(now, error, fence)
    except DatabaseError as error:
        store.drop_broken_connection()
        return _failed(now, IndexUnavailable(host.name, error), fence)


def _pass(now: _UnderWay, fence: Fence, lister: EngineLister) -> Report:
    """List, decide and apply; return what was done."""
    host, record = fence.host, fence.record
    table = store.rows_on(host)
    seen_at = timezone.now()
    with lister.session() as session:
        decided = _decide(host, table, seen_at, session.listing())
        verdict = _safeguard(host, decided, record, session)
        verdict, inspected = _inspect(verdict, decided, session, fence.token)
    context = PassContext(now.trigger, seen_at, timezone.now(), refresh_after())
    applied = apply(verdict, fence, context)
    found = _found(decided) | {"inspected": inspected}
    if applied is None:
        return Report(**now.told(), **found, outcome=Outcome.SUPERSEDED)
    if applied.overtaken:
        found["conflicts"] = max(1, len(applied.conflicts))
    else:
        _log_news(host, record, verdict)
        found |= _held(decided, verdict) | {"conflicts": len(applied.conflicts)}
    return Report(**now.told(), **found, outcome=Outcome.APPLIED, changes=served(applied.changes))


def _dry_pass(now: _UnderWay, lister: EngineLister) -> Report:
    """List and decide; return what would be done."""
    record = store.host_record(now.host)
    table = store.rows_on(now.host)
    seen_at = timezone.now()
    with lister.session() as session:
        decided = _decide(now.host, table, seen_at, session.listing())
        verdict = _safeguard(now.host, decided, record, session)
    found = _found(decided) | _held(decided, verdict)
    return Report(**now.told(), **found, outcome=Outcome.PLANNED, changes=served(verdict.plan.changes))


def _decide(host: str, table: HostRows, seen_at: datetime, snapshot: Snapshot) -> _Decided:
    """Dispatch and plan a snapshot."""
    managed, skips = claim_all(snapshot.observations, settings.INSTALL_ID)
    sightings, lost = dispatch_all(managed, catalogue(lookup_keys(managed)), host)
    skips = [*skips, *lost, *snapshot.refusals]
    elsewhere = store.rows_elsewhere({sighting.row.id for sighting in sightings}.difference(table.rows), host)
    listed_ids = snapshot.listed_ids if snapshot.names_every_container else None
    plan = make_plan(table.rows, sightings, skips, listed_ids, elsewhere)
    return _Decided(
        table=table, seen_at=seen_at, snapshot=snapshot, sightings=sightings, managed=len(managed), plan=plan
    )


def _safeguard(host: str, decided: _Decided, record: HostRecord, session: EngineSession) -> Verdict:
    """Hold back a sweep that another listing has to agree with first.

    The database is asked for the time, and the Engine who it is, only if something would go missing. The
    Engine is also asked until it has said once who it is.
    """
    sweeps = bool(decided.plan.sweep)
    identity = Identity(name=record.engine_id)
    if sweeps or record.engine_id is None:
        identity = _identity(session, settings.ENGINE_TIMEOUT if sweeps else settings.INSPECT_SECONDS)
    snapshot = decided.snapshot
    evidence = Evidence(
        rows=decided.table.rows.values(),
        memory=record.memory,
        begun=record.read_at,
        ended=store.database_time(host) if sweeps else record.read_at,
        recorded=record.engine_id,
        identity=identity,
        partial=None if snapshot.names_every_container else snapshot.listed_ids,
    )
    return safeguard(decided.plan, evidence, hold_limits())


def _identity(session: EngineSession, timeout_seconds: float) -> Identity:
    """Return who the Engine says it is, or why it does not say."""
    try:
        return Identity(name=session.identity(timeout_seconds))
    except EngineUnavailable as error:
        return Identity(name=None, silence=error.reason)


def _inspect(verdict: Verdict, decided: _Decided, session: EngineSession, turn: int) -> tuple[Verdict, int]:
    """Make the inspects and add what they tell to the plan; return also how many were made."""
    most, answered_at = settings.INSPECT_MOST, decided.snapshot.answered_at
    wanted = to_inspect(verdict.plan, decided.table, decided.sightings, most, turn)
    if not wanted:
        return verdict, 0
    known = store.last_inspects([change.after.id for change in wanted if change.before])
    wanted = worth_asking(wanted, known, answered_at)
    answers = ask(session, in_turn(wanted, most, turn))
    return replace(verdict, plan=merge_details(verdict.plan, wanted, answers, answered_at)), len(answers)


def _found(decided: _Decided) -> dict[str, Any]:
    """Return what a report says about a listing."""
    plan, listed = decided.plan, decided.snapshot.size
    return {"listed": listed, "managed": decided.managed, "unchanged": plan.unchanged, "skips": plan.skips}


def _held(decided: _Decided, verdict: Verdict) -> dict[str, Any]:
    """Return what a report says about what is held back."""
    wait = verdict.confirm_after
    return {
        "held": len(decided.plan.sweep) - len(verdict.plan.sweep),
        "hold_reason": verdict.memory.reason,
        "confirm_after": wait.total_seconds() if wait else None,
    }


def _log_news(host: str, record: HostRecord, verdict: Verdict) -> None:
    """Log once what an operator wants to know about a host that has answered."""
    reason, known = verdict.memory.reason, record.memory.reason
    if record.failures:
        logger.info("host %s: answers again", host, extra={"action": "recovered", "host": host})
    if reason and reason != known:
        text = "host %s: held: %s; a second complete listing has to agree first"
        logger.warning(text, host, reason, extra={"action": "held", "host": host})
    if known and not reason:
        logger.warning("host %s: held no more", host, extra={"action": "released", "host": host})
    if record.engine_id and record.engine_id != verdict.engine_id:
        text = "host %s: the Engine %s was replaced by %s, as two listings agree"
        extra = {"action": "engine_replaced", "host": host}
        logger.warning(text, host, record.engine_id, verdict.engine_id or "a nameless one", extra=extra)


def _failed(now: _UnderWay, error: ReconcilerError, fence: Fence | None) -> Report:
    """Note the failure on the host's row, with the time of the next try; warn once, and then only on change."""
    is_news, pause = True, 0.0
    if isinstance(error, (EngineUnavailable, IndexUnavailable)) and fence:
        with contextlib.suppress(DatabaseError):
            draw = random.random()  # noqa: S311 - jitter, not a secret
            failures = fence.record.failures + 1
            pause = pause_seconds(failures, settings.RECONCILE_INTERVAL, settings.LONGEST_BACKOFF, draw)
            at = timezone.now()
            failure = Failure(error.reason, at, at + timedelta(seconds=pause))
            is_news = note_failure(fence, failure, now.trigger)
    level = logging.WARNING if is_news else logging.DEBUG
    then = f"; no tick tries again for {pause:.0f} s" if pause else ""
    extra = {"action": "pass_failed", "host": now.host}
    logger.log(level, "%s; no row was changed%s", error, then, extra=extra)
    return Report(**now.told(), outcome=Outcome.FAILED, error=str(error))
