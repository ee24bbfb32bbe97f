"""All changes that the index knows of, the newest first."""

from datetime import datetime

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from reconciler.models import Host
from web.pages.filters import Filters, read_filters
from web.pages.live import Content
from web.pages.paging import made
from web.pages.serving import Reader, parts_of, serve
from web.pages.steps import changes, shown
from web.pages.verdict import Level

PAGE_SIZE = 100


@require_safe
def change_list(request: HttpRequest) -> HttpResponse:
    """List changes."""
    filters = read_filters(request.GET)
    return serve(request, "web/changes.html", lambda at, reader: _content(filters, at, reader), filters=filters)


def _content(filters: Filters, at: datetime, reader: Reader) -> Content:
    entries = changes()
    if filters.host:
        entries = entries.filter(host=filters.host)
    if filters.state:
        entries = entries.filter(to_state=filters.state)
    if filters.search:
        entries = entries.filter(
            Q(row_id__icontains=filters.search)
            | Q(cause__icontains=filters.search)
            | Q(container_id__startswith=filters.search)
        )
    begin = (filters.page - 1) * PAGE_SIZE
    # nobody counts a million changes: one more than are shown tells that there is another page
    found = shown(entries.order_by("-id")[begin : begin + PAGE_SIZE + 1])
    page = made(found[:PAGE_SIZE], filters, PAGE_SIZE, (begin + len(found), filters.page))
    choices = {"host": [(name, name) for name in Host.objects.order_by("name").values_list("name", flat=True)]}
    context = {"at": at, "reader": reader, "page": page, "filters": filters, "choices": choices}
    return Content(
        title="Changes · Tinyforge index",
        level=Level.WELL,
        says="Changes are shown, the newest first.",
        parts=parts_of(("history_of_all",), context),
    )
