"""SHELL: delete what is older than its retention, in chunks, so that nothing waits long for it.

Placeholders and present rows are never deleted: a row's end is that its container is missing, and
has been for long. Of a row that exists, the last transition stays, however old it is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from reconciler.models import Container, Transition

CHUNK_ROWS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """How many rows missing for too long, and how many transitions too old, were deleted, or would be."""

    containers: int
    transitions: int


def prune(at: datetime, *, dry_run: bool = False) -> Pruned:
    """Delete what is past its retention; a dry run only counts."""
    containers, transitions = _missing_too_long(at), _too_old(at)
    if dry_run:
        return Pruned(containers=containers.count(), transitions=transitions.count())
    # rows first: the last transition of a row that goes is kept for nobody
    return Pruned(containers=sum(_delete(containers)), transitions=sum(_delete(transitions)))


def _missing_too_long(at: datetime) -> QuerySet[Container]:
    """Return rows missing for more than MISSING_DAYS; marking them missing was the last that touched them."""
    if not settings.MISSING_DAYS:
        return Container.objects.none()
    return Container.objects.missing().bound().filter(updated_at__lt=at - timedelta(days=settings.MISSING_DAYS))


def _too_old(at: datetime) -> QuerySet[Transition]:
    """Return transitions older than TRANSITION_DAYS that a later one, or the end of their row, has outlived."""
    if not settings.TRANSITION_DAYS:
        return Transition.objects.none()
    later = Transition.objects.filter(row_id=OuterRef("row_id")).filter(
        Q(at__gt=OuterRef("at")) | Q(at=OuterRef("at"), id__gt=OuterRef("id"))
    )
    row = Container.objects.filter(id=OuterRef("row_id"))
    old = Transition.objects.filter(at__lt=at - timedelta(days=settings.TRANSITION_DAYS))
    return old.filter(Exists(later) | ~Exists(row))


def _delete(doomed: QuerySet[Any]) -> Iterator[int]:
    """Delete a chunk at a time, each in a transaction of its own; yield how many went."""
    return takewhile(bool, iter(lambda: _delete_chunk(doomed), None))


def _delete_chunk(doomed: QuerySet[Any]) -> int:
    keys = list(doomed.order_by("pk").values_list("pk", flat=True)[:CHUNK_ROWS])
    # asked again while deleting: a row that was bound anew meanwhile stays
    return doomed.filter(pk__in=keys).delete()[0] if keys else 0
