"""The feed and the history in it, as the pages show them: what has changed, from what to what, and why."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.utils.safestring import SafeString

from reconciler import words
from reconciler.models import ChangeKind, DeploymentState, Span, Transition
from reconciler.models.transition import TransitionQuerySet

MOST_DEPLOYS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A change as a line of a list."""

    id: int
    at: datetime
    host: str
    row: str
    workload: str
    change: SafeString
    cause: str
    trigger: str
    container_id: str


def latest_changes(most: int) -> list[Step]:
    """Return the latest changes of rows and hosts, the newest first."""
    return shown(changes().order_by("-id")[:most])


def changes() -> TransitionQuerySet:
    """Return the changes that people want to know of; the feed has more, which tell of other columns."""
    return Transition.objects.filter(~Q(kind=ChangeKind.CONTAINER) | Q(is_step=True))


def deploys_of(span: Span, **of: str) -> list[datetime]:
    """Return when deploys of a row or a workload began within a span."""
    entries = Transition.objects.filter(kind=ChangeKind.DEPLOYMENT, at__gte=span.begin, **of)
    begun = entries.filter(from_state="", to_state=DeploymentState.DEPLOYING).order_by("-id")
    return list(begun.values_list("at", flat=True)[:MOST_DEPLOYS])


def shown(entries: Iterable[Transition]) -> list[Step]:
    """Return entries of the feed as lines of a list."""
    return [
        Step(
            id=entry.pk,
            at=entry.at,
            host=str(entry.host_id),
            row=str(entry.row_id),
            workload=entry.workload_id,
            change=words.change(entry),
            cause=entry.cause,
            trigger=entry.trigger,
            container_id=entry.container_id,
        )
        for entry in entries
    ]
