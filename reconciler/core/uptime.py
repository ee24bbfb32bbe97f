"""For how long something was up, was down, or was not known: slow and obvious. A database reckons many rows faster.

Pure: imports no framework, reads no clock, does no I/O. A container is up while it runs. Nothing is known of a
row before its history begins, after its end, while it is a placeholder, while its container stands for another
row, and while its host cannot be seen.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

from reconciler.core.history import in_order
from reconciler.core.observation import GONE, MOVED, RUNNING

ABSENT_STATES = ("", MOVED, GONE)
"""States in which no container stands for a row."""
_LATEST = datetime.max.replace(tzinfo=UTC)


class Status(StrEnum):
    """What a moment shows of something; of several things together, what comes first here is what holds."""

    UP = "up"
    UNKNOWN = "unknown"
    DOWN = "down"


_PRECEDENCE = {status: place for place, status in enumerate(Status)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Uptime:
    """For how long something was up and down within a span, and for how long neither is known."""

    up: timedelta
    down: timedelta
    unknown: timedelta

    @property
    def availability(self) -> float | None:
        """Which share of the known time it was up; None if nothing is known."""
        known = self.up + self.down
        return self.up / known if known else None

    @property
    def coverage(self) -> float | None:
        """Which share of the span is known; None if the span lasts no time."""
        whole = self.up + self.down + self.unknown
        return (self.up + self.down) / whole if whole else None


class Span(NamedTuple):
    """The time from one moment to another."""

    begin: datetime
    end: datetime

    def within(self, other: "Span") -> "Span | None":
        """Return what this span shares with another; None if that is no time."""
        shared = Span(max(self.begin, other.begin), min(self.end, other.end))
        return shared if shared.begin < shared.end else None


class Step(NamedTuple):
    """A step of a row's history: when and where it came into which state."""

    at: datetime
    host: str
    state: str


class Piece(NamedTuple):
    """A part of a span, and what it shows; `state` is what was known last, empty if nothing was known."""

    span: Span
    status: Status
    state: str = ""


def pieces_of(steps: Sequence[Step], blind: Mapping[str, Sequence[Span]], span: Span) -> list[Piece]:
    """Return what a span shows of a row, in order. `steps` are in the order of their commits.

    `blind` says when each host could not be seen: spans that last some time, in order and without overlaps. Nothing
    is said of times in which no container stands for the row.
    """
    found: list[Piece] = []
    moments = pairwise([*in_order([step.at for step in steps]), _LATEST])
    for (begin, end), step in zip(moments, steps, strict=True):
        part = Span(begin, end).within(span)
        if part and step.state not in ABSENT_STATES:
            status = Status.UP if step.state == RUNNING else Status.DOWN
            found += _cut(Piece(part, status, step.state), blind.get(step.host, ()), Status.UNKNOWN)
    return found


def host_pieces(existing: Span, failing: Iterable[Span], dark: Iterable[Span]) -> list[Piece]:
    """Return what the time of a host shows of it, in order. In `dark` it could not be seen, in `failing` it is down."""
    seen = _cut(Piece(existing, Status.UP), merged(dark), Status.UNKNOWN)
    down = merged(failing)
    return [
        part
        for piece in seen
        for part in (_cut(piece, down, Status.DOWN) if piece.status is Status.UNKNOWN else [piece])
    ]


def _cut(piece: Piece, spans: Sequence[Span], status: Status) -> Iterator[Piece]:
    """Cut a piece in which these spans show something else; they are in order and do not overlap."""
    begin, end = piece.span
    first = bisect_right(spans, begin, key=attrgetter("end"))
    for part in (each.within(piece.span) for each in spans[first:]):
        if part is None:
            break
        if begin < part.begin:
            yield piece._replace(span=Span(begin, part.begin))
        yield piece._replace(span=part, status=status)
        begin = part.end
    if begin < end:
        yield piece._replace(span=Span(begin, end))


def together(pieces: Iterable[Piece]) -> list[Piece]:
    """Return what several rows show together, in order.

    They are up while one is up, else not known while one is not, else down. The state is that of a row that
    shows this.
    """
    changes: dict[datetime, Counter[tuple[Status, str]]] = defaultdict(Counter)
    for span, status, state in pieces:
        changes[span.begin][status, state] += 1
        changes[span.end][status, state] -= 1
    found: list[Piece] = []
    counts: Counter[tuple[Status, str]] = Counter()
    for begin, end in pairwise(sorted(changes)):
        counts.update(changes[begin])
        shown = [each for each, count in counts.items() if count > 0]
        if shown:
            found.append(Piece(Span(begin, end), *min(shown, key=lambda each: (_PRECEDENCE[each[0]], each[1]))))
    return found


def timeline(pieces: Iterable[Piece], span: Span) -> list[Piece]:
    """Return pieces that cover a whole span, as few as possible, from those that a part of it shows, in order."""
    whole: list[Piece] = []
    end = span.begin
    for piece in pieces:
        whole += [Piece(Span(end, piece.span.begin), Status.UNKNOWN), piece]
        end = piece.span.end
    whole.append(Piece(Span(end, span.end), Status.UNKNOWN))
    found: list[Piece] = []
    for piece in whole:
        if found and found[-1][1:] == piece[1:]:
            found[-1] = piece._replace(span=Span(found[-1].span.begin, piece.span.end))
        elif piece.span.begin < piece.span.end:
            found.append(piece)
    return found


def cut_to(pieces: Sequence[Piece], span: Span) -> list[Piece]:
    """Return what pieces show of a span; they are in order and do not overlap, and those at its ends are cut."""
    first = bisect_right(pieces, span.begin, key=lambda piece: piece.span.end)
    last = bisect_left(pieces, span.end, key=lambda piece: piece.span.begin)
    found = list(pieces[first:last])
    if found:
        found[0] = found[0]._replace(span=Span(max(found[0].span.begin, span.begin), found[0].span.end))
        found[-1] = found[-1]._replace(span=Span(found[-1].span.begin, min(found[-1].span.end, span.end)))
    return found


def thinned(pieces: Sequence[Piece], span: Span, most: int) -> list[Piece]:
    """Return a timeline as it is drawn in a bounded space: in at most so many pieces.

    If it has more, the span is cut into equal parts, and each shows the worst of what happened in it, however short.
    """
    if len(pieces) <= most:
        return list(pieces)
    width = (span.end - span.begin) / most
    parts: dict[int, Piece] = {}
    for piece in pieces:
        first, last = ((at - span.begin) // width for at in (piece.span.begin, piece.span.end - timedelta.resolution))
        for place in range(first, min(last, most - 1) + 1):
            parts[place] = max(parts.get(place, piece), piece, key=lambda each: _PRECEDENCE[each.status])
    ends = [*(span.begin + place * width for place in range(most)), span.end]
    return timeline((parts[place]._replace(span=Span(*ends[place : place + 2])) for place in sorted(parts)), span)


def uptime_of(pieces: Iterable[Piece], span: Span) -> Uptime:
    """Add up what a span shows; pieces do not overlap, and what lies outside of the span does not count."""
    total: dict[Status, timedelta] = defaultdict(timedelta)
    for part, status in ((piece.span.within(span), piece.status) for piece in pieces):
        total[status] += part.end - part.begin if part else timedelta()
    up, down = total[Status.UP], total[Status.DOWN]
    return Uptime(up=up, down=down, unknown=span.end - span.begin - up - down)


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return spans in order, and without overlaps."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.begin <= found[-1].end:
            found[-1] = Span(found[-1].begin, max(found[-1].end, span.end))
        else:
            found.append(span)
    return found
