"""Single flight: of each host's passes one is made at a time, and one more for what is asked meanwhile."""

import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings
from django.db import Error as DatabaseError

from reconciler import store
from reconciler.conf import engine_of, lock_of
from reconciler.core.report import Outcome, Report, Trigger
from reconciler.exceptions import IndexUnavailable, LockUnavailable
from reconciler.lock import HostLock, Lease, PassRequest, connect, count_outcomes
from reconciler.models import Host
from reconciler.reconcile import reconcile

logger = logging.getLogger(__name__)

MOST_ROUNDS = 10
"""How many passes one holder makes in a row before it leaves further requests to another worker."""
LONGEST_FLIGHT_SECONDS = 60.0
"""After this time a holder begins no further pass, and leaves further requests to another worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One pass, and the host as it was configured when the pass began."""

    host: Host
    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """The passes that one holder made; if `again` is a request, the caller has to start a pass for it."""

    looks: tuple[Look, ...] = ()
    again: PassRequest | None = None

    @property
    def reports(self) -> tuple[Report, ...]:
        """What the passes did."""
        return tuple(look.report for look in self.looks)

    @property
    def confirm_after(self) -> float | None:
        """In how many seconds the caller has to start a pass that confirms what is held, or None."""
        due = [report.confirm_after for report in self.reports if report.confirm_after is not None]
        return due[-1] if due else None

    @property
    def is_held_up(self) -> bool:
        """True if somebody holds rows that the last pass wanted to change. The caller then starts a pass later."""
        return _is_held_up(self.looks)


def reconcile_in_turn(host: Host, *, trigger: Trigger, only_if_asked: bool = False) -> Flight:
    """Make the host's next pass if none is under way, and one more for what is asked meanwhile (I12).

    With `only_if_asked`, no pass is made if nothing is asked any more. Raises LockUnavailable.
    """
    lock = lock_of(host.name)
    lease = lock.acquire(only_if_asked=only_if_asked)
    if lease:
        with lock.renewed():
            flight = _fly(host, lock, lease, trigger)
    elif only_if_asked:
        return Flight()
    else:
        busy = Report(host=host.name, trigger=trigger, outcome=Outcome.BUSY)
        flight = Flight(looks=(Look(host=host, report=busy),))
    # a count that is lost is no reason to lose what the flight leaves to others
    with contextlib.suppress(LockUnavailable):
        count_outcomes(connect(settings.REDIS_URL), [report.outcome for report in flight.reports])
    return flight


def _fly(asked: Host, lock: HostLock, lease: Lease | None, trigger: Trigger) -> Flight:
    """Make passes until nothing is asked any more, then let go of the lock."""
    looks: list[Look] = []
    again: PassRequest | None = None
    end_at = time.monotonic() + LONGEST_FLIGHT_SECONDS
    try:
        while lease and len(looks) < MOST_ROUNDS and time.monotonic() < end_at:
            request = lease.asked or PassRequest(trigger)
            look = _look(asked, request)
            if look is None:
                return Flight(looks=tuple(looks), again=again)
            looks.append(look)
            if look.report.conflicts and not _is_held_up(looks) and lock.request(request):
                # whoever holds the lock is never told to start a pass: if that happens, the lock was lost
                again = request
            lease = lock.release_unless_asked()
        if lease and lease.asked:
            again = _hand_over(lock, lease.asked)
    except LockUnavailable as error:
        # the fence keeps overlapping passes correct, and the next tick answers what was asked meanwhile
        logger.warning("%s; passes of host %s go on without it", error, asked.name, extra={"action": "lock_lost"})
    finally:
        with contextlib.suppress(LockUnavailable):
            lock.release()
    return Flight(looks=tuple(looks), again=again)


def _look(asked: Host, request: PassRequest) -> Look | None:
    """Make a pass over a host as it is configured now (I12); None if it was removed or switched off meanwhile."""
    try:
        host = Host.objects.filter(name=asked.name).first()
    except DatabaseError as error:
        store.drop_broken_connection()
        failure = str(IndexUnavailable(asked.name, error))
        logger.warning("%s", failure, extra={"action": "pass_failed", "host": asked.name})
        failed = Report(host=asked.name, trigger=request.trigger, outcome=Outcome.FAILED, error=failure)
        return Look(host=asked, report=failed)
    if host is None or (asked.enabled and not host.enabled):
        return None
    event_at = _moment(request.event_ns)
    return Look(host=host, report=reconcile(host, engine_of(host), trigger=request.trigger, event_at=event_at))


def _is_held_up(looks: Sequence[Look]) -> bool:
    """True if the last pass was made because of conflicts and met some again, so that another at once is no use."""
    if not looks or not looks[-1].report.conflicts:
        return False
    return looks[-1].report.trigger is Trigger.RETRY or (len(looks) > 1 and bool(looks[-2].report.conflicts))


def _moment(at_ns: int | None) -> datetime | None:
    return None if at_ns is None else datetime.fromtimestamp(at_ns / 1e9, UTC)


def _hand_over(lock: HostLock, ask: PassRequest) -> PassRequest | None:
    """Leave the request that was just taken to another holder; return it if the caller has to start a pass for it."""
    lock.request(ask)
    lock.release()
    return ask if lock.request(ask) else None
