"""What is wrong with a row: the conditions by which the admin, the API and the pages find rows to look at."""

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum

from django.conf import settings
from django.db.models import Case, Exists, F, OuterRef, Q, Sum, Value, When

from reconciler.models.deployment import deploying_condition
from reconciler.models.host import latest_believed, stale_after
from reconciler.models.state import State
from reconciler.models.workload import Workload

ENDED_STATES = (State.STOPPED, State.RESTARTING)
STUCK_AFTER = timedelta(minutes=10)
"""How long a container may stay created, and a row without a container, before somebody should look."""


class Trouble(StrEnum):
    """Why somebody should look at a row. Of several reasons that hold, the first in this order tells most."""

    ANY = "any"
    UNKNOWN = "unknown"
    LOOPING = "looping"
    MISSING = "missing"
    FAILED = "failed"
    OOM = "oom"
    ENDED = "ended"
    RESTARTING = "restarting"
    UNHEALTHY = "unhealthy"
    STUCK = "stuck"
    PAUSED = "paused"
    ORPHAN = "orphan"


TROUBLE_WORDS = {
    Trouble.ANY: "any",
    Trouble.UNKNOWN: "unknown: host does not answer",
    Trouble.LOOPING: "in a restart loop",
    Trouble.MISSING: "gone from its host",
    Trouble.FAILED: "deploy failed",
    Trouble.OOM: "killed for want of memory",
    Trouble.ENDED: "ended with an error",
    Trouble.RESTARTING: "restarting",
    Trouble.UNHEALTHY: "unhealthy",
    Trouble.STUCK: "created, never started",
    Trouble.PAUSED: "paused",
    Trouble.ORPHAN: "orphan: workload is gone",
}
WORST_FIRST = tuple(kind for kind in Trouble if kind is not Trouble.ANY)


def trouble_condition(kind: Trouble, at: datetime) -> Q:
    """Return the condition that a row has such trouble, whatever other trouble it has.

    What is being deployed may end and be gone: that alone is no trouble.
    """
    if kind is not Trouble.ANY:
        return _CONDITIONS[kind](at)
    any_of_them = Q()
    for each in WORST_FIRST:
        any_of_them |= trouble_condition(each, at)
    return unknown_condition(at) | any_of_them & ~deploying_condition(at)


def severity(at: datetime) -> Case:
    """Return an expression for a row's worst trouble, as its place in WORST_FIRST; one more than the last: none."""
    none = Value(len(WORST_FIRST))
    unknown, *others = [When(trouble_condition(kind, at), then=Value(n)) for n, kind in enumerate(WORST_FIRST)]
    return Case(unknown, When(deploying_condition(at), then=none), *others, default=none)


def unknown_condition(at: datetime) -> Q:
    """Return the condition that a row's host cannot be asked: its last pass failed, or none succeeded lately.

    Lately is within three intervals, as for a host that is stale. A placeholder has nothing to ask for.
    """
    earliest = at - stale_after()
    out_of_range = Q(host__last_success_at__lt=earliest) | Q(host__last_success_at__gt=latest_believed(at))
    unasked = Q(host__last_success_at=None) | out_of_range
    return ~Q(container_id="") & (~Q(host__last_error="") | unasked)


def looping_condition(at: datetime) -> Q:
    """Return the condition that a container restarted at least RESTART_LOOP_COUNT times within RESTART_LOOP_SECONDS.

    The restarts of all rows are added up once, because only few rows have any.
    """
    from reconciler.models.transition import Transition

    lately = (at - timedelta(seconds=settings.RESTART_LOOP_SECONDS), latest_believed(at))
    of_now = Transition.objects.filter(at__range=lately, restarts__gt=0, container_id=F("row__container_id"))
    totals = of_now.order_by().values("row_id").annotate(total=Sum("restarts"))
    looping = totals.filter(total__gte=settings.RESTART_LOOP_COUNT).values("row_id")
    return Q(id__in=looping)


def orphan_condition() -> Q:
    """Return the condition that a container's workload does not exist."""
    return ~Q(Exists(Workload.objects.filter(id=OuterRef("workload_id"))))


def _stuck_condition(at: datetime) -> Q:
    """Return the condition that a container was created and has not been started for a while."""
    from reconciler.models.transition import Transition

    lately = Transition.objects.steps().filter(row_id=OuterRef("id"), at__gt=at - STUCK_AFTER)
    return Q(state=State.CREATED) & ~Q(Exists(lately.order_by()))


def _ended_condition(_at: datetime) -> Q:
    """Return the condition that a container has ended with an error; what has ended with 0 has done its work."""
    return Q(state=State.STOPPED, exit_code__isnull=False) & ~Q(exit_code=0)


_CONDITIONS: dict[Trouble, Callable[[datetime], Q]] = {
    Trouble.UNKNOWN: unknown_condition,
    Trouble.LOOPING: looping_condition,
    Trouble.MISSING: lambda _: Q(state=State.MISSING),
    Trouble.FAILED: lambda _: Q(state=State.FAILED),
    Trouble.OOM: lambda _: Q(state__in=ENDED_STATES, oom_killed=True),
    Trouble.ENDED: _ended_condition,
    Trouble.RESTARTING: lambda _: Q(state=State.RESTARTING),
    Trouble.UNHEALTHY: lambda at: Q(health="unhealthy") & ~unknown_condition(at),
    Trouble.STUCK: _stuck_condition,
    Trouble.PAUSED: lambda _: Q(state=State.PAUSED),
    Trouble.ORPHAN: lambda _: orphan_condition(),
}
