"""Hosts: tiles on the first page, and a page for each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from reconciler import words
from reconciler.levels import level_of_condition
from reconciler.models import Condition, Container, Host, Outage, State, Transition, timeline_of_host
from reconciler.models.host import MOST_SKIPS_KEPT
from reconciler.status import HostStatus, status_of
from web.pages.filters import Filters, read_filters
from web.pages.incidents import of_hosts, read_tellings
from web.pages.live import Content
from web.pages.merging import told_things_of_hosts
from web.pages.paging import Page, made, part
from web.pages.row import Row
from web.pages.rows import annotated, read
from web.pages.serving import Reader, parts_of, serve
from web.pages.steps import Step, changes, shown
from web.pages.things import things_of_hosts
from web.pages.timeline import LONGEST, Drawn, drawn_spans, last

PARTS = ("host", "rows", "skips", "spans", "changes", "outages")
PAGE_SIZE = 50
MOST_CHANGES, MOST_OUTAGES = 30, 20
WORST_FIRST = [
    Condition.FAILING,
    Condition.STALE,
    Condition.HELD,
    Condition.NEW,
    Condition.FRESH,
    Condition.OFF,
]
BAR_WIDTH = 100.0


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar: where it begins, how wide it is, and what it stands for."""

    x: float
    width: float
    css: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A host at a glance: how it is doing, and its rows as a bar."""

    status: HostStatus
    rows: int
    wrong: int
    unknown: int
    segments: Sequence[Segment]


def tiles_of(hosts: Sequence[HostStatus], wrong_by_host: dict[str, int]) -> list[Tile]:
    """Return a tile for each host: first those that cannot be seen, then those with most rows in trouble."""
    tiles = [tile_of(host, wrong_by_host.get(host.host, 0)) for host in hosts]
    return sorted(tiles, key=_place)


def _place(tile: Tile) -> tuple[bool, int, int, str]:
    condition = tile.status.condition
    is_blind = condition in (Condition.FAILING, Condition.STALE)
    return (not is_blind, -tile.wrong, WORST_FIRST.index(condition), tile.status.host)


def tile_of(host: HostStatus, wrong: int) -> Tile:
    """Return the tile of a host."""
    unknown = sum(host.last_known.values())
    rows = sum(host.containers.values())
    # a row in trouble may be running: it is unhealthy then, and counted as wrong
    up = max(0, min(host.containers.get(State.RUNNING, 0), rows - unknown - wrong))
    counts = {"down": wrong, "unknown": unknown, "up": up, "rest": rows - wrong - unknown - up}
    return Tile(status=host, rows=rows, wrong=wrong, unknown=unknown, segments=segments(counts))


def segments(counts: dict[str, int]) -> list[Segment]:
    """Return the parts of a bar, as wide as their counts."""
    whole, x, found = sum(counts.values()) or 1, 0.0, []
    for css, count in counts.items():
        if count > 0:
            width = BAR_WIDTH * count / whole
            found.append(Segment(round(x, 3), round(width, 3), css))
            x += width
    return found


@require_safe
def host_page(request: HttpRequest, name: str) -> HttpResponse:
    """Show one host: how it is doing, its rows, what has changed, and when it could not be seen."""
    host = Host.objects.defer("held", "swept").filter(name=name).first()
    if host is None and request.user.is_authenticated:
        raise Http404(f"there is no host {name!r}")
    filters = read_filters(request.GET)

    def make(at: datetime, reader: Reader) -> Content:
        return _content(name, filters, at, reader)

    return serve(request, "web/host.html", make, name=name, enabled=host is not None and host.enabled)


def _content(name: str, filters: Filters, at: datetime, reader: Reader) -> Content:
    status = status_of(name, at)
    if status is None:
        raise Http404(f"there is no host {name!r}")
    host = Host.objects.defer("held", "swept").get(name=name)
    wrong = Container.objects.on(name).in_trouble(at=at).count() - sum(status.last_known.values())
    own = things_of_hosts([status], with_errors=reader.sees_errors)
    tellings = read_tellings(of_hosts().filter(subject=name), at)
    context: dict[str, Any] = {
        "at": at,
        "reader": reader,
        "status": status,
        "tile": tile_of(status, max(0, wrong)),
        "says": words.CONDITION_SENTENCES[status.condition],
        "things": told_things_of_hosts(own, tellings, {}),
        "rows": rows_page(filters, at, host=name),
        "changes": _changes(name),
        "spans": _spans(name, at),
        "skips": host.left_alone,
        "looked_at": host.last_attempt_at,
        "look": look_of(host),
        "most_skips": MOST_SKIPS_KEPT,
        "outages": list(Outage.objects.on(name).order_by("-began_at")[:MOST_OUTAGES]),
    }
    return Content(
        title=f"{name}: {status.condition} · Tinyforge index",
        level=level_of_condition(status.condition),
        says=f"Host {name} {context['says']}.",
        parts=parts_of(PARTS, context),
    )


def look_of(host: Host) -> str:
    """Return in words what came of the last look at a host."""
    return words.look_words(host.last_attempt_at, host.last_success_at, host.last_error_at)


def rows_page(filters: Filters, at: datetime, **of: str) -> Page[Row]:
    """Return the rows that are wanted, the worst first."""
    rows = filters.rows(at).filter(**of)
    worst_first = rows.with_severity(at).order_by("severity", "id")  # type: ignore[misc]
    found, *place = part(worst_first, filters, PAGE_SIZE)
    ids = [row.pk for row in found.only("id")]
    read_rows = {row.id: row for row in read(annotated(Container.objects.filter(id__in=ids), at))}
    return made([read_rows[each] for each in ids if each in read_rows], filters, PAGE_SIZE, (place[0], place[1]))


def _spans(name: str, at: datetime) -> list[Drawn]:
    """Return when the host could be seen."""
    return drawn_spans(timeline_of_host(name, *last(LONGEST, at)), at)


def _changes(name: str) -> list[Step]:
    return shown(Transition.objects.filter(changes(), host=name).order_by("-id")[:MOST_CHANGES])
