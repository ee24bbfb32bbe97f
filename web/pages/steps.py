"""The feed and the history in it, as the pages show them: what has changed, from what to what, and why."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.utils.safestring import SafeString

from reconciler import words
from reconciler.models import ChangeKind, Deployment, Span, Transition

MOST_DEPLOYS = 1_000


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
    return shown(Transition.objects.filter(changes()).order_by("-id")[:most])


def changes() -> Q:
    """Return the condition of changes of rows, hosts and deploys that people want to know of.

    The feed has more: changes of other columns, and how incidents go on.
    """
    return ~Q(kind__in=(ChangeKind.CONTAINER, ChangeKind.INCIDENT)) | Q(is_step=True)


def deploys_of(span: Span, rows: Mapping[str, str], workloads: Collection[str]) -> dict[str, list[datetime]]:
    """Return when deploys of workloads began within a span, those of their rows too; `rows` says whose each row is."""
    of_them = Deployment.objects.filter(Q(row_id__in=list(rows)) | Q(workload_id__in=workloads))
    begun = of_them.filter(began_at__range=span).order_by("-id").values_list("row_id", "workload_id", "began_at")
    found: dict[str, list[datetime]] = defaultdict(list)
    for row, workload, at in begun[:MOST_DEPLOYS]:
        found[rows[row] if row else workload].append(at)
    return found


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
