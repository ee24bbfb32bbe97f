"""What is wrong with a row: the conditions by which the admin, the API and pages find rows to look at."""

from datetime import datetime, timedelta
from enum import StrEnum

from django.conf import settings
from django.db.models import Exists, OuterRef, Q

from reconciler.models.host import latest_believed
from reconciler.models.state import State
from reconciler.models.workload import Workload

BAD_STATES = (State.FAILED, State.MISSING, State.RESTARTING)
ENDED_STATES = (State.STOPPED, State.RESTARTING)


class Trouble(StrEnum):
    """Why somebody should look at a row, whatever its state."""

    ANY = "any"
    UNHEALTHY = "unhealthy"
    LOOPING = "looping"
    UNKNOWN = "unknown"
    ORPHAN = "orphan"


TROUBLE_WORDS = {
    Trouble.ANY: "any",
    Trouble.UNHEALTHY: "unhealthy",
    Trouble.LOOPING: "in a restart loop",
    Trouble.UNKNOWN: "unknown: host does not answer",
    Trouble.ORPHAN: "orphan: workload is gone",
}


def trouble_condition(kind: Trouble, at: datetime) -> Q:
    """Return the condition that a row has such trouble; the rows must be annotated by `with_restarts()`."""
    unknown, looping = unknown_condition(at), Q(restarts_lately__gte=settings.RESTART_LOOP_COUNT)
    unhealthy = Q(health="unhealthy")
    bad = Q(state__in=BAD_STATES) | Q(state__in=ENDED_STATES, oom_killed=True)
    conditions = {
        Trouble.ANY: bad | unhealthy | looping | unknown | orphan_condition(),
        Trouble.UNHEALTHY: unhealthy & ~unknown,
        Trouble.LOOPING: looping,
        Trouble.UNKNOWN: unknown,
        Trouble.ORPHAN: orphan_condition(),
    }
    return conditions[kind]


def unknown_condition(at: datetime) -> Q:
    """Return the condition that a row's host cannot be asked: its last pass failed, or none succeeded lately.

    Lately is within three intervals, as for a host that is stale. A placeholder has nothing to ask for.
    """
    earliest = at - timedelta(seconds=3 * settings.RECONCILE_INTERVAL)
    out_of_range = Q(host__last_success_at__lt=earliest) | Q(host__last_success_at__gt=latest_believed(at))
    unasked = Q(host__last_success_at=None) | out_of_range
    return ~Q(container_id="") & (~Q(host__last_error="") | unasked)


def orphan_condition() -> Q:
    """Return the condition that a container's workload does not exist."""
    return ~Q(Exists(Workload.objects.filter(id=OuterRef("workload_id"))))
