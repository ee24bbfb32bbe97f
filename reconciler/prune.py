"""I/O: delete what is older than its retention, in chunks, so that nothing waits long for it.

Placeholders and present rows are never deleted: a row goes only if it has been missing or moved for
long. Its history ends with it. Of every history, the last step before the kept time stays for as long
as a later one does, so that the state at the beginning of that time is known; and of a row that exists
the last step stays, however old it is.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Greatest

from reconciler import store
from reconciler.models import ChangeKind, Container, Feed, Transition

CHUNK_ROWS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """How many rows missing or moved for too long, and how many transitions too old, were deleted, or would be."""

    containers: int
    transitions: int


def prune(now: datetime, *, dry_run: bool = False) -> Pruned:
    """Delete what is past its retention; a dry run only counts.

    What is deleted is gone for good, so of two clocks, ours and the database's, the earlier one counts.
    """
    at = min(now, store.database_now() or now)
    containers, transitions = _gone_too_long(at), _too_old(at)
    if dry_run:
        return Pruned(containers=containers.count(), transitions=transitions.count())
    return Pruned(
        containers=sum(_until_none_is_left(lambda: _end_chunk(containers, at))),
        transitions=sum(_until_none_is_left(lambda: _delete_chunk(transitions))),
    )


def _gone_too_long(at: datetime) -> QuerySet[Container]:
    """Return rows missing or moved that have been neither changed nor seen for more than MISSING_DAYS."""
    if not settings.MISSING_DAYS:
        return Container.objects.none()
    since = at - timedelta(days=settings.MISSING_DAYS)
    unseen = Q(last_seen_at=None) | Q(last_seen_at__lt=since)
    gone = Container.objects.missing().bound() | Container.objects.moved()
    return gone.filter(unseen, updated_at__lt=since)


def _too_old(at: datetime) -> QuerySet[Transition]:
    """Return what is older than TRANSITION_DAYS, but of a row's steps only those that a later such one follows.

    The last step of a history goes with the others if its row is gone.
    """
    if not settings.TRANSITION_DAYS:
        return Transition.objects.none()
    old = Transition.objects.filter(at__lt=at - timedelta(days=settings.TRANSITION_DAYS))
    later = Transition.objects.steps().filter(row_id=OuterRef("row_id"), id__gt=OuterRef("id"))
    row = Container.objects.filter(id=OuterRef("row_id"))
    is_step = Q(kind=ChangeKind.CONTAINER, is_step=True)
    return old.filter(~is_step | Exists(old & later) | ~Exists(row) & ~Exists(later))


def _until_none_is_left(delete_chunk: Callable[[], int]) -> Iterator[int]:
    """Delete a chunk at a time, each in a transaction of its own; yield how many went."""
    return takewhile(bool, iter(delete_chunk, None))


def _end_chunk(doomed: QuerySet[Container], at: datetime) -> int:
    with transaction.atomic():
        # what somebody holds is left for the next day, and what was bound anew meanwhile is found to be so
        chunk = doomed.select_for_update(skip_locked=True).order_by("id")[:CHUNK_ROWS]
        return store.end_rows(chunk, f"missing or moved for more than {settings.MISSING_DAYS} days", at)


def _delete_chunk(doomed: QuerySet[Transition]) -> int:
    keys = list(doomed.order_by("pk").values_list("pk", flat=True)[:CHUNK_ROWS])
    if not keys:
        return 0
    with transaction.atomic():
        # a reader that comes with an older cursor is told that it has missed something
        feed = Feed.objects.filter(pk=Feed.of_this_database().pk)
        feed.update(pruned_to=Greatest("pruned_to", Value(keys[-1])))
        return Transition.objects.filter(pk__in=keys).delete()[0]
