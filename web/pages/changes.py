"""All changes that the index knows of, the newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from reconciler.levels import Level
from reconciler.models import Host, Transition
from reconciler.models.transition import MOST_SEARCHED
from web.pages.filters import Filters, read_filters
from web.pages.live import Content
from web.pages.serving import Reader, parts_of, serve
from web.pages.steps import Step, changes, shown

PAGE_SIZE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Changes, and the addresses of the newest and of older ones; `back_to` is how far they were looked through."""

    items: Sequence[Step]
    newest: str
    older: str
    back_to: datetime | None


@require_safe
def change_list(request: HttpRequest) -> HttpResponse:
    """List changes."""
    filters = read_filters(request.GET)
    return serve(request, "web/changes.html", lambda at, reader: _content(filters, at, reader), filters=filters)


def _content(filters: Filters, at: datetime, reader: Reader) -> Content:
    choices = {"host": [(name, name) for name in Host.objects.order_by("name").values_list("name", flat=True)]}
    context = {"at": at, "reader": reader, "found": find(filters), "filters": filters, "choices": choices}
    return Content(
        title="Changes · Tinyforge index",
        level=Level.WELL,
        says="Changes are shown, the newest first.",
        parts=parts_of(("history_of_all",), context),
    )


def find(filters: Filters) -> Found:
    """Return the newest changes that are wanted, or the newest before one.

    Nobody counts a million changes, or skips most of them: each page begins where the one before has ended. What is
    rare is looked for among so many entries at a time, and whoever wants it looks on from there.
    """
    entries = Transition.objects.filter(host=filters.host) if filters.host else Transition.objects.all()
    if filters.before:
        entries = entries.filter(id__lt=filters.before)
    end = entries.first_left_out(MOST_SEARCHED) if filters.state or filters.search or filters.workload else 0
    wanted = entries.filter(changes(), id__gt=end)
    if filters.workload:
        wanted = wanted.filter(workload_id=filters.workload)
    if filters.state:
        wanted = wanted.filter(to_state=filters.state)
    if filters.search:
        wanted = wanted.search(filters.search)
    # one more than are shown tells that there are others
    found = list(wanted.order_by("-id")[: PAGE_SIZE + 1])
    if len(found) > PAGE_SIZE:
        next_before, back_to = found[PAGE_SIZE - 1].pk, None
    else:
        next_before, back_to = end and end + 1, _moment_of(end)
    return Found(
        items=shown(found[:PAGE_SIZE]),
        newest=filters.address() if filters.before else "",
        older=filters.address(before=next_before) if next_before else "",
        back_to=back_to,
    )


def _moment_of(entry_id: int) -> datetime | None:
    return Transition.objects.filter(id=entry_id).values_list("at", flat=True).first() if entry_id else None
