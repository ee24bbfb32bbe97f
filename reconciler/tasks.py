"""Thin layers for Celery: tasks that send a message for each host, make a host's pass, and prune."""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from celery import shared_task
from django.conf import settings
from django.utils import timezone
from kombu.exceptions import OperationalError

from reconciler.conf import lock_of
from reconciler.core.report import OF_ROUNDS, Report, Trigger
from reconciler.drift import LATE_EVENTS_SECONDS, Suspicion, judge, suspicion
from reconciler.exceptions import LockUnavailable
from reconciler.leases import note_ends
from reconciler.lock import PassRequest
from reconciler.models import Host
from reconciler.prune import prune
from reconciler.single_flight import Flight, reconcile_in_turn
from reconciler.standing import note_conditions
from tinyforge.schedule import URGENT_QUEUE

logger = logging.getLogger(__name__)

UNASKED = (Trigger.TICK, Trigger.CONFIRM, Trigger.RETRY)
"""Messages with these triggers make a pass without a request that stands."""
RETRY_SECONDS = 2.0
"""How long after a pass to look again at rows that somebody else held."""
MOST_LOGGED = 20
"""At most this many changes of one pass are logged one by one; the summary counts all of them."""


@shared_task(name="reconcile")
def reconcile(trigger: str = Trigger.TICK) -> None:
    """Start one pass for every enabled host; the host that has waited longest comes first (I15).

    A tick does nothing where a pass is under way, and leaves out hosts that fail until their next try is
    due. Requests with other triggers stand until they are answered (I12).
    """
    known = _known(trigger)
    if known is None:
        return
    now = timezone.now()
    hosts = Host.objects.due(now) if known is Trigger.TICK else Host.objects.filter(enabled=True)
    for host in hosts.longest_waiting_first(now).values_list("name", flat=True):
        with _unless_redis_is_down(host):
            if known is Trigger.TICK:
                _start(host, Trigger.TICK)
            else:
                ask(host, PassRequest(known))
    note_conditions(now)
    note_ends(now)


@shared_task(name="reconcile_host")
def reconcile_host(host: str, trigger: str) -> None:
    """Make one host's next pass, unless one is under way; a host that was turned off meanwhile is left alone (I14)."""
    known = _known(trigger)
    if known is None:
        return
    with _unless_redis_is_down(host):
        # its row is read when its turn has come, as it is then
        flight = reconcile_in_turn(Host(name=host), trigger=known, only_if_asked=known not in UNASKED)
        for report in flight.reports:
            _log(report)
        follow_up(host, flight)


@shared_task(name="judge_drift")
def judge_drift(host: str, changes: int, since: float, until: float) -> None:
    """Decide whether what a tick found is drift, when its events have had time to arrive."""
    with _unless_redis_is_down(host):
        judge(Suspicion(host=host, changes=changes, since=since, until=until))


@shared_task(name="prune")
def prune_old() -> None:
    """Delete what is older than it has to be kept."""
    pruned = prune(timezone.now())
    logger.info("pruned: %s", pruned, extra={"action": "pruned"})


def ask(host: str, request: PassRequest, announced: Sequence[int] = ()) -> None:
    """Ask the workers for a pass of a host. Raises LockUnavailable, or kombu's OperationalError.

    `announced` has the Engine's times of the events that led to it; they are remembered, to find drift.
    """
    lock = lock_of(host)
    if lock.request(request):
        _start(host, request.trigger)
    if announced:
        lock.note_events(announced)


def follow_up(host: str, flight: Flight) -> None:
    """Start what a flight has left to others. Raises LockUnavailable, or kombu's OperationalError."""
    if flight.again:
        _start(host, flight.again.trigger)
    if flight.confirm_after is not None:
        _start(host, Trigger.CONFIRM, after_seconds=flight.confirm_after)
    if flight.is_held_up and lock_of(host).claim_retry(RETRY_SECONDS):
        _start(host, Trigger.RETRY, after_seconds=RETRY_SECONDS)
    for look in flight.looks:
        if look.report.latency_ms is not None:
            lock_of(host).note_latency(look.report.latency_ms)
        if found := suspicion(look.host, look.report):
            judge_drift.apply_async(kwargs=asdict(found), countdown=LATE_EVENTS_SECONDS, expires=60)


def _start(host: str, trigger: Trigger, after_seconds: float = 0) -> None:
    """Send the message. It may expire, because the request stands in Redis and the next tick answers it."""
    queue = settings.CELERY_TASK_DEFAULT_QUEUE if trigger in OF_ROUNDS else URGENT_QUEUE
    expires = after_seconds + settings.RECONCILE_INTERVAL
    reconcile_host.apply_async((host, trigger), queue=queue, countdown=after_seconds or None, expires=expires)


def _known(trigger: str) -> Trigger | None:
    """Return what asked for a pass, or None and a warning if no trigger of this version has that name."""
    try:
        return Trigger(trigger)
    except ValueError:
        extra = {"action": "bad_message"}
        logger.warning("a message with the unknown trigger %.64r was ignored", trigger, extra=extra)
        return None


@contextlib.contextmanager
def _unless_redis_is_down(host: str) -> Iterator[None]:
    """Log a warning if Redis fails, and go on: the next message is the next try."""
    try:
        yield
    except (LockUnavailable, OperationalError) as error:
        logger.warning("%s; host %s was not looked at", error, host, extra={"action": "lock_lost", "host": host})


def _log(report: Report) -> None:
    """Log what a pass did: as news if something changed, for debugging otherwise."""
    extra = {"action": "pass", "host": report.host, "trigger": report.trigger, "outcome": report.outcome}
    for change in report.changes[:MOST_LOGGED]:
        logger.info("host %s: %s", report.host, change, extra=extra)
    is_news = report.changes or report.conflicts
    logger.log(logging.INFO if is_news else logging.DEBUG, "%s", report, extra=extra)
