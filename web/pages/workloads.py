"""The page of a workload: its containers, and what has changed of them."""

from datetime import datetime
from typing import Any

from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from reconciler.levels import Level, level_of
from reconciler.models import Container, Transition, Trouble, Workload, timelines_of_workloads
from reconciler.models.trouble import WORST_FIRST
from web.pages.filters import Filters, read_filters
from web.pages.hosts import rows_page
from web.pages.live import Content
from web.pages.serving import Reader, parts_of, serve
from web.pages.steps import deploys_of, shown
from web.pages.timeline import LONGEST, Drawn, drawn_spans, last
from web.pages.verdict import number

MOST_CHANGES = 30
MOST_ROWS = 1_000


@require_safe
def workload_page(request: HttpRequest, workload_id: str) -> HttpResponse:
    """Show one workload. One that exists no more is shown as long as it has containers: they are orphans."""
    filters = read_filters(request.GET)
    return serve(
        request,
        "web/workload.html",
        lambda at, reader: _content(workload_id, filters, at, reader),
        name=workload_id,
    )


def _content(workload_id: str, filters: Filters, at: datetime, reader: Reader) -> Content:
    workload = Workload.objects.filter(id=workload_id).first()
    rows = rows_page(filters, at, workload=workload_id)
    if workload is None and not rows.total:
        raise Http404(f"there is no workload {workload_id!r}")
    name = str(workload) if workload else workload_id
    count, troubles = _troubles(workload_id, at)
    levels = {level_of(trouble) for trouble in troubles}
    says = f"{number(count, 'container')}, {sum(troubles.values()):,} of these in trouble."
    context: dict[str, Any] = {
        "at": at,
        "says": says,
        "reader": reader,
        "id": workload_id,
        "name": name,
        "workload": workload,
        "rows": rows,
        "changes": shown(_changes(workload_id)),
        "spans": _spans(workload_id, at),
        "of_workloads": True,
    }
    return Content(
        title=f"{name} · Tinyforge index",
        level=next((level for level in Level if level in levels), Level.WELL),
        says=f"{name}: {says}",
        parts=parts_of(("workload", "rows", "spans", "changes"), context),
    )


def _troubles(workload_id: str, at: datetime) -> tuple[int, dict[Trouble, int]]:
    """Return how many containers a workload has, and how many of them are in which trouble, on whatever page."""
    rows = Container.objects.filter(workload=workload_id).with_severity(at).order_by()
    counts = dict(rows.values_list("severity").annotate(count=Count("id")))  # type: ignore[misc]
    return sum(counts.values()), {kind: counts[place] for place, kind in enumerate(WORST_FIRST) if place in counts}


def _spans(workload_id: str, at: datetime) -> list[Drawn]:
    longest = last(LONGEST, at)
    pieces = timelines_of_workloads([workload_id], *longest)[workload_id]
    rows = Container.objects.filter(workload=workload_id).values_list("id", flat=True)[:MOST_ROWS]
    return drawn_spans(pieces, at, deploys_of(longest, dict.fromkeys(rows, workload_id), [workload_id])[workload_id])


def _changes(workload_id: str) -> list[Transition]:
    ids = Container.objects.filter(workload=workload_id).values_list("id", flat=True)[:MOST_ROWS]
    return list(Transition.objects.steps().filter(row_id__in=list(ids)).order_by("-id")[:MOST_CHANGES])
