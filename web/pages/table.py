"""The table of workloads: each with its containers as small marks."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, F, Max, OuterRef, Q, QuerySet, Subquery, Sum, Value, Window
from django.db.models.functions import Coalesce, Lower, NullIf, RowNumber

from reconciler import words
from reconciler.levels import level_of
from reconciler.models import (
    Container,
    State,
    Transition,
    Workload,
    timelines_of_workloads,
)
from reconciler.models.trouble import WORST_FIRST
from web.pages.filters import Filters
from web.pages.paging import Page, made, part
from web.pages.steps import deploys_of
from web.pages.timeline import Drawn, drawn, last

PAGE_SIZE = 50
MOST_MARKS = 24


@dataclass(frozen=True, slots=True)
class Mark:
    """A container of a workload, as small as it can be shown."""

    row: str
    sign: str
    css: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A workload with its containers; `more` of them are not shown."""

    id: str
    name: str
    kind: str
    marks: Sequence[Mark]
    more: int
    restarts: int
    changed_at: datetime | None
    day: Drawn


def workload_page(filters: Filters, at: datetime) -> Page[Line]:
    """Return the workloads that are wanted."""
    shown_name = Lower(Coalesce(NullIf(F("name"), Value("")), F("id")))
    found, *place = part(_wanted(filters, at).order_by(shown_name, "id"), filters, PAGE_SIZE)
    return made(lines_of(list(found), at), filters, PAGE_SIZE, (place[0], place[1]))


def lines_of(workloads: Sequence[Workload], at: datetime) -> list[Line]:
    """Return workloads with their containers and their last day, in a few queries."""
    ids = [workload.id for workload in workloads]
    totals, marks = _totals(ids), _marks(ids, at)
    days = _days(ids, marks, at)
    lines = []
    for workload in workloads:
        count, restarts, changed_at = totals.get(workload.id, (0, None, None))
        lines.append(
            Line(
                id=workload.id,
                name=workload.name or workload.id,
                kind=workload.get_kind_display(),
                marks=marks[workload.id],
                more=count - len(marks[workload.id]),
                restarts=restarts or 0,
                changed_at=changed_at,
                day=days[workload.id],
            )
        )
    return lines


def _wanted(filters: Filters, at: datetime) -> "QuerySet[Workload]":
    found = Workload.objects.filter(kind=filters.kind) if filters.kind else Workload.objects.all()
    if not (filters.search or filters.host or filters.state or filters.trouble):
        return found
    its = Q(id__in=filters.rows(at).order_by().values("workload_id"))
    if filters.search and not (filters.host or filters.state or filters.trouble):
        its |= Q(id__icontains=filters.search) | Q(name__icontains=filters.search)
    return found.filter(its)


def _totals(ids: Collection[str]) -> dict[str, tuple[int, int | None, datetime | None]]:
    """Return how many containers each workload has, how often these were restarted, and when one changed last."""
    steps = Transition.objects.steps().filter(row_id=OuterRef("id")).order_by("-id")
    rows = Container.objects.filter(workload__in=ids).annotate(changed_at=Subquery(steps.values("at")[:1])).order_by()
    totals = rows.values("workload_id").annotate(
        containers=Count("id"), restarts=Sum("restart_count"), changed=Max("changed_at")
    )
    found = totals.values_list("workload_id", "containers", "restarts", "changed")
    return {workload: (count, restarts, changed) for workload, count, restarts, changed in found}


def _marks(ids: Collection[str], at: datetime) -> dict[str, list[Mark]]:
    """Return the first containers of each workload, the worst first."""
    rank = Window(RowNumber(), partition_by=F("workload_id"), order_by=[F("severity").asc(), F("id").asc()])
    rows = Container.objects.filter(workload__in=ids).with_severity(at).annotate(rank=rank).filter(rank__lte=MOST_MARKS)
    marks: dict[str, list[Mark]] = defaultdict(list)
    for row in rows.order_by("workload_id", "rank").values("id", "workload_id", "state", "exit_code", "severity"):
        marks[row["workload_id"]].append(mark_of(row))
    return marks


def _days(ids: Collection[str], marks: Mapping[str, Sequence[Mark]], at: datetime) -> dict[str, Drawn]:
    """Return the last day of each workload, with its deploys."""
    day = last("24 hours", at)
    deploys = deploys_of(day, {mark.row: each for each in ids for mark in marks[each]}, ids)
    pieces = timelines_of_workloads(ids, *day)
    return {each: drawn("24 hours", pieces[each], day, deploys[each]) for each in ids}


def mark_of(row: Mapping[str, Any]) -> Mark:
    """Return the mark of a container, from a few of its columns."""
    place, state = row["severity"], row["state"]
    trouble = WORST_FIRST[place] if place < len(WORST_FIRST) else None
    if trouble is None:
        is_done = words.is_done(state, row["exit_code"])
        sign, says = (words.DONE_SIGN, "done") if is_done else (words.sign(state), words.label(state))
        return Mark(row["id"], sign, f"mark-{_calm(state)}", says)
    sign = words.trouble_sign(trouble, state)
    return Mark(row["id"], sign, f"mark-{level_of(trouble)}", words.TROUBLE_SENTENCES[trouble])


def _calm(state: str) -> str:
    """Return how a container that is in no trouble looks: up, being deployed, or at rest."""
    return {State.RUNNING: "up", State.PENDING: "deploy"}.get(State(state), "rest") if state in State.values else "rest"
