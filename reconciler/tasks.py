"""Thin layers for Celery: tasks that send a message for each host, make a host's pass, and prune."""

import contextlib
import logging
from collections.abc import Iterator

from celery import shared_task
from django.conf import settings
from django.utils import timezone
from kombu.exceptions import OperationalError

from reconciler.conf import lock_of
from reconciler.core.report import Report, Trigger
from reconciler.exceptions import LockUnavailable
from reconciler.lock import PassRequest
from reconciler.models import Host
from reconciler.prune import prune
from reconciler.single_flight import Flight, reconcile_in_turn

logger = logging.getLogger(__name__)

MOST_LOGGED = 20
"""At most this many changes of one pass are logged one by one; the summary counts all of them."""


@shared_task(name="reconcile")
def reconcile(trigger: Trigger = Trigger.TICK) -> None:
    """Start one pass for every enabled host.

    A tick does nothing where a pass is under way, and leaves out hosts that fail until their next try is
    due. Requests with other triggers stand until they are answered (I12).
    """
    hosts = Host.objects.due(timezone.now()) if trigger == Trigger.TICK else Host.objects.filter(enabled=True)
    # a host that fails may hang, so it comes last and does not delay the others
    for host in hosts.order_by("failures", "name").values_list("name", flat=True):
        with _unless_redis_is_down(host):
            if trigger == Trigger.TICK:
                _start(host, Trigger.TICK)
            else:
                ask(host, PassRequest(trigger))


@shared_task(name="reconcile_host")
def reconcile_host(host: str, trigger: Trigger) -> None:
    """Make one host's next pass, unless one is under way; a host that was turned off meanwhile is left alone (I14)."""
    row = Host.objects.filter(name=host, enabled=True).first()
    if row is None:
        return
    with _unless_redis_is_down(host):
        run = reconcile_in_turn(row, trigger=trigger, only_if_asked=trigger not in (Trigger.TICK, Trigger.CONFIRM))
        for report in run.reports:
            _log(report)
        follow_up(host, run)


@shared_task(name="prune")
def prune_old() -> None:
    """Delete what is older than it has to be kept."""
    pruned = prune(timezone.now())
    logger.info("pruned: %s", pruned, extra={"action": "pruned"})


def ask(host: str, request: PassRequest) -> None:
    """Ask the workers for a pass of a host. Raises LockUnavailable, or kombu's OperationalError."""
    lock = lock_of(host)
    if lock.request(request):
        _start(host, request.trigger)
    if request.event_ns is not None:
        lock.note_event(request.event_ns)


def follow_up(host: str, run: Flight) -> None:
    """Start the passes that a flight has left to others. Raises kombu's OperationalError."""
    if run.again:
        _start(host, run.again.trigger)
    if run.confirm_after is not None:
        _start(host, Trigger.CONFIRM, after_seconds=run.confirm_after)


def _start(host: str, trigger: Trigger, after_seconds: float = 0) -> None:
    """Send the message. It may expire, because the request stands in Redis and the next tick answers it."""
    expires = after_seconds + settings.RECONCILE_INTERVAL
    reconcile_host.apply_async((host, trigger), countdown=after_seconds or None, expires=expires)


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
