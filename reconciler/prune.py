"""I/O: deletes what is older than it has to be kept, in chunks, so that nothing waits long for it.

Placeholders and present rows are never deleted. A row is deleted only if it has been missing or moved for a
long time, and then its history ends as well. Of every history, the last step before the kept time stays as
long as a later step does, so that the state at the beginning of that time is known. The last step of a row
that exists stays for ever.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import takewhile
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Greatest

from reconciler import store
from reconciler.models import Container, Deployment, Feed, Outage, Transition
from reconciler.models.transition import IS_STEP

CHUNK_ROWS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """How many rows and transitions were deleted, or would be in a dry run; outages and deployments are not counted."""

    containers: int
    transitions: int


def prune(now: datetime, *, dry_run: bool = False) -> Pruned:
    """Delete what is older than it has to be kept; a dry run only counts.

    What is deleted cannot be restored, so the earlier of two clocks counts, ours or the database's.
    """
    at = min(now, store.database_now() or now)
    containers, transitions = _gone_too_long(at), _too_old(at)
    if dry_run:
        return Pruned(containers=containers.count(), transitions=transitions.count())
    pruned = Pruned(
        containers=sum(_until_none_is_left(lambda: _end_chunk(containers, at))),
        transitions=sum(_until_none_is_left(lambda: _delete_chunk(transitions))),
    )
    for ended in (_ended_long_ago(Outage, at), _ended_long_ago(Deployment, at)):
        sum(_until_none_is_left(partial(_delete_some, ended)))
    return pruned


def _gone_too_long(at: datetime) -> QuerySet[Container]:
    """Return rows missing or moved that have been neither changed nor seen for more than MISSING_DAYS."""
    if not settings.MISSING_DAYS:
        return Container.objects.none()
    since = at - timedelta(days=settings.MISSING_DAYS)
    unseen = Q(last_seen_at=None) | Q(last_seen_at__lt=since)
    gone = Container.objects.missing().bound() | Container.objects.moved()
    return gone.filter(unseen, updated_at__lt=since)


def _too_old(at: datetime) -> QuerySet[Transition]:
    """Return what is older than TRANSITION_DAYS; of a row's steps, only those that are followed by another old one.

    If a row does not exist any more, the last step of its history goes as well.
    """
    if not settings.TRANSITION_DAYS:
        return Transition.objects.none()
    old = Transition.objects.filter(at__lt=at - timedelta(days=settings.TRANSITION_DAYS))
    later = Transition.objects.steps().filter(row_id=OuterRef("row_id"), id__gt=OuterRef("id"))
    row = Container.objects.filter(id=OuterRef("row_id"))
    return old.filter(~IS_STEP | Exists(old & later) | ~Exists(row) & ~Exists(later))


def _ended_long_ago(model: type[Outage] | type[Deployment], at: datetime) -> QuerySet[Any]:
    """Return outages or deployments that ended before the kept time."""
    if not settings.TRANSITION_DAYS:
        return model.objects.none()
    return model.objects.filter(ended_at__lt=at - timedelta(days=settings.TRANSITION_DAYS))


def _until_none_is_left(delete_chunk: Callable[[], int]) -> Iterator[int]:
    """Delete chunk after chunk, each in a transaction of its own; yield how many were deleted."""
    return takewhile(bool, iter(delete_chunk, None))


def _end_chunk(doomed: QuerySet[Container], at: datetime) -> int:
    """Delete some rows and end their history; return how many."""
    with transaction.atomic():
        # rows that somebody holds are left for the next day; the lock reads again whether a row was bound meanwhile
        chunk = doomed.select_for_update(skip_locked=True).order_by("id")[:CHUNK_ROWS]
        return store.end_rows(chunk, f"missing or moved for more than {settings.MISSING_DAYS} days", at)


def _delete_chunk(doomed: QuerySet[Transition]) -> int:
    """Delete some transitions, and note up to where the feed has gaps; return how many."""
    keys = list(doomed.order_by("pk").values_list("pk", flat=True)[:CHUNK_ROWS])
    if not keys:
        return 0
    with transaction.atomic():
        # a reader with an older cursor is told that it has missed something
        feed = Feed.objects.filter(pk=Feed.of_this_database().pk)
        feed.update(pruned_to=Greatest("pruned_to", Value(keys[-1])))
        return Transition.objects.filter(pk__in=keys).delete()[0]


def _delete_some(doomed: QuerySet[Any]) -> int:
    """Delete some of what nobody follows in the feed; return how many."""
    some = list(doomed.order_by("pk").values_list("pk", flat=True)[:CHUNK_ROWS])
    return int(doomed.filter(pk__in=some).delete()[0])
