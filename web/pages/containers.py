"""Containers: a list of them, and a page for each row."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from reconciler import words
from reconciler.levels import Level, level_of
from reconciler.models import Container, Host, Span, Transition, Trouble, Workload, leads_of, timelines_of_rows
from reconciler.models.condition import condition
from reconciler.models.steps import MOST_STEPS
from reconciler.models.trouble import TROUBLE_WORDS
from web.pages.filters import STATES, Filters, read_filters
from web.pages.hosts import look_of, rows_page
from web.pages.incidents import of_rows, read_tellings
from web.pages.live import Content
from web.pages.merging import told_things_of_rows
from web.pages.paging import Page, made, part
from web.pages.row import Row
from web.pages.rows import annotated, read
from web.pages.serving import Reader, parts_of, serve
from web.pages.steps import Step, deploys_of, shown
from web.pages.timeline import LONGEST, drawn_spans, last
from web.pages.verdict import number

HISTORY_SIZE = 50


@require_safe
def container_list(request: HttpRequest) -> HttpResponse:
    """List containers, the worst first."""
    filters = read_filters(request.GET)
    return serve(request, "web/containers.html", lambda at, reader: _list_content(filters, at, reader), filters=filters)


def _list_content(filters: Filters, at: datetime, reader: Reader) -> Content:
    rows = rows_page(filters, at)
    choices = {
        "host": [(name, name) for name in Host.objects.order_by("name").values_list("name", flat=True)],
        "state": [(state, state) for state in STATES],
        "trouble": [(kind.value, TROUBLE_WORDS[kind]) for kind in Trouble],
    }
    says = f"{number(rows.total, 'container')} found."
    context = {"at": at, "reader": reader, "rows": rows, "filters": filters, "choices": choices}
    return Content(
        title="Containers · Tinyforge index", level=Level.WELL, says=says, parts=parts_of(("containers",), context)
    )


@require_safe
def container_page(request: HttpRequest, row_id: str) -> HttpResponse:
    """Show one row: how its container is doing, what is known of it, and every step of its history."""
    filters = read_filters(request.GET)
    host = Container.objects.filter(id=row_id).values_list("host_id", flat=True).first()
    return serve(
        request,
        "web/container.html",
        lambda at, reader: _content(row_id, filters, at, reader),
        name=row_id,
        host=host,
        enabled=Host.objects.filter(name=host, enabled=True).exists() if host else False,
    )


def _content(row_id: str, filters: Filters, at: datetime, reader: Reader) -> Content:
    """Return the page of a row; a row that has ended has its history still."""
    found = read(annotated(Container.objects.filter(id=row_id), at))
    history = _history(Transition.objects.of(row_id), filters)
    if not found and not history.total:
        raise Http404(f"there is no container {row_id!r}")
    row = found[0] if found else None
    context: dict[str, Any] = {"at": at, "reader": reader, "id": row_id, "row": row, "history": history}
    context["has_older"] = history.total == MOST_STEPS
    if row:
        container = Container.objects.select_related("host").get(id=row_id)
        context |= {
            "container": container,
            "kind": Workload.objects.filter(id=row.workload_id).first(),
            "condition": condition(container.host, at),
            "looked_at": container.host.last_attempt_at,
            "look": look_of(container.host),
            "leads": leads_of(container),
            "thing": next(iter(told_things_of_rows([row], read_tellings(of_rows([row_id]), at))), None),
        }
    longest = last(LONGEST, at)
    context["spans"] = drawn_spans(timelines_of_rows([row_id], *longest)[row_id], at, _deploys(longest, row_id, row))
    return Content(
        title=f"{row_id} · Tinyforge index",
        level=_level(row),
        says=_says(row_id, row),
        parts=parts_of(("container", "spans", "history"), context),
    )


def _deploys(span: Span, row_id: str, row: Row | None) -> list[datetime]:
    """Return when deploys of a row or of its workload began."""
    found = deploys_of(span, {row_id: row_id}, [row.workload_id] if row else [])
    return [*found[row_id], *(found[row.workload_id] if row and row.workload_id != row_id else [])]


def _history(steps: "QuerySet[Transition]", filters: Filters) -> Page[Step]:
    found, *place = part(steps.order_by("-id")[:MOST_STEPS], filters, HISTORY_SIZE)
    return made(shown(found), filters, HISTORY_SIZE, (place[0], place[1]))


def _level(row: Row | None) -> Level:
    if row is None:
        return Level.UNKNOWN
    return level_of(row.trouble) if row.trouble else Level.WELL


def _says(row_id: str, row: Row | None) -> str:
    if row is None:
        return f"{row_id} is in the index no more."
    if row.trouble is Trouble.UNKNOWN or row.trouble is None:
        return f"{row_id}: {words.label(row.state) if row.trouble is None else 'not known'}."
    return f"{row_id} {words.TROUBLE_SENTENCES[row.trouble]}."
