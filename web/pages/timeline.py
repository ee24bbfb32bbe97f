"""Timelines: what a span showed, drawn as SVG, and availability with what is known of it. Pure: reads nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from reconciler.models import Piece, Span, Status, Uptime, cut_to, thinned, uptime_of

WIDTH, HEIGHT, LEAST_DOWN = 240, 22, 1.5
DAY = timedelta(days=1)
SPANS = {"24 hours": DAY, "7 days": 7 * DAY, "30 days": 30 * DAY, "90 days": 90 * DAY}
LONGEST = "90 days"
MARKED_EVERY = timedelta(minutes=5)
_CSS = {Status.UP: "tl-up", Status.DOWN: "tl-down", Status.UNKNOWN: "tl-unknown"}
_FILL = {Status.UNKNOWN: "url(#hatch)"}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A span: its name, its timeline, and its figures."""

    name: str
    svg: SafeString
    available: str
    known: str
    marker: str


def drawn(name: str, pieces: Sequence[Piece], span: Span, deploys: Iterable[datetime] = ()) -> Drawn:
    """Return a span as it is shown. `pieces` may lie outside of it, and then do not count."""
    inside = cut_to(pieces, span)
    uptime = uptime_of(inside, span)
    svg = _svg(inside, span, deploys, _says(name, inside, uptime))
    return Drawn(name, svg, available(uptime), known(uptime), marker(span.end, pieces))


def last(name: str, at: datetime) -> Span:
    """Return the span of this name that ends now."""
    return Span(at - SPANS[name], at)


def drawn_spans(pieces: Sequence[Piece], at: datetime, deploys: Sequence[datetime] = ()) -> list[Drawn]:
    """Return the spans up to now as they are shown, the shortest first; `pieces` cover the longest."""
    return [drawn(name, pieces, last(name, at), deploys) for name in SPANS]


def available(uptime: Uptime) -> str:
    """Return which share of the known time something was up."""
    return "—" if uptime.availability is None else percent(uptime.availability)


def known(uptime: Uptime) -> str:
    """Return which share of the time is known."""
    return "—" if uptime.coverage is None else percent(uptime.coverage)


def percent(share: float) -> str:
    """Return a share; what is not quite all is never rounded up to all, nor what is not quite nothing down to it."""
    hundredths = round(share * 10_000)
    if 0 < share < 1:
        hundredths = min(max(hundredths, 1), 9_999)
    return f"{hundredths / 100:g} %"


def marker(at: datetime, pieces: Sequence[Piece]) -> str:
    """Return what changes when something new begins, and every few minutes in any case: a timeline is drawn anew."""
    now = pieces[-1].status if pieces else ""
    return f"{int(at.timestamp() // MARKED_EVERY.total_seconds())}-{len(pieces)}-{now}"


def _svg(pieces: Sequence[Piece], span: Span, deploys: Iterable[datetime], says: str) -> SafeString:
    shown = thinned(pieces, span, WIDTH)
    rects = format_html_join(
        "",
        '<rect class="{}" x="{}" y="{}" width="{}" height="{}" fill="{}"/>',
        (_rect(piece, span) for piece in shown),
    )
    places = (f"{_x(at, span):.2f}" for at in deploys if span.begin <= at < span.end)
    marks = format_html_join("", '<path class="tl-deploy" d="M{} 0v22"/>', ((place,) for place in places))
    return format_html(
        '<svg class="timeline" viewBox="0 0 240 22" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<rect class="tl-ground" y="3" width="240" height="16"/>{}{}</svg>',
        says,
        rects,
        marks,
    )


def _rect(piece: Piece, span: Span) -> tuple[str, str, int, str, int, str]:
    begin, end = _x(piece.span.begin, span), _x(piece.span.end, span)
    # what was down for a moment must be seen, too, and most of all if it was just now
    width = max(end - begin, LEAST_DOWN if piece.status is Status.DOWN else 0)
    y, height = (0, HEIGHT) if piece.status is Status.DOWN else (3, HEIGHT - 6)
    x, fill = min(begin, WIDTH - width), _FILL.get(piece.status, "")
    return _CSS[piece.status], f"{x:.2f}", y, f"{width:.2f}", height, fill


def _x(at: datetime, span: Span) -> float:
    return WIDTH * ((at - span.begin) / (span.end - span.begin))


def _says(name: str, pieces: Sequence[Piece], uptime: Uptime) -> str:
    if uptime.availability is None:
        return f"last {name}: nothing is known"
    downs = sum(piece.status is Status.DOWN for piece in pieces)
    return f"last {name}: available {available(uptime)}, down {downs} {'time' if downs == 1 else 'times'}"
