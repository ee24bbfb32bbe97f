"""Reads what is wrong, and counts what there is, in as many queries for ten rows as for ten thousand."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q

from reconciler.models import Container, State
from reconciler.models.deployment import deploying_condition
from reconciler.models.trouble import WORST_FIRST
from reconciler.status import HostStatus
from web.pages.row import Row
from web.pages.rows import annotated, read
from web.pages.things import Group, grouped, level_of, thing_of_row, things_of_hosts
from web.pages.verdict import Counts, Level, Verdict, verdict

MOST_SHOWN = 50
_NONE = len(WORST_FIRST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """The verdict, and the things that it speaks of; `more` of them are not shown. `by_host` counts rows in trouble."""

    verdict: Verdict
    counts: Counts
    groups: list[Group]
    more: int
    by_host: dict[str, int]


@dataclass(frozen=True, slots=True)
class Tally:
    """How many rows there are by host and worst trouble, and how many of those in none wait for a container."""

    rows: dict[tuple[str, int], int]
    waiting: int

    def wrong_by_host(self) -> dict[str, int]:
        """Count the rows that are known to be in trouble."""
        found: Counter[str] = Counter()
        for (host, place), count in self.rows.items():
            if 0 < place < _NONE:
                found[host] += count
        return found


def read_wrong(hosts: Sequence[HostStatus], at: datetime, *, with_errors: bool) -> Wrong:
    """Read what is wrong with these hosts and with all rows."""
    tally = _tally(at)
    by_host, of_hosts = tally.wrong_by_host(), things_of_hosts(hosts, with_errors=with_errors)
    counts = Counts(
        hosts=len(hosts),
        containers=sum(tally.rows.values()),
        wrong=sum(by_host.values()),
        unknown=sum(count for (_, place), count in tally.rows.items() if place == 0),
        waiting=tally.waiting,
        things=sum(by_host.values()) + len(of_hosts),
    )
    levels = {thing.level for thing in of_hosts}
    levels |= {level_of(WORST_FIRST[place]) for _, place in tally.rows if 0 < place < _NONE}
    shown = [*of_hosts[:MOST_SHOWN], *map(thing_of_row, _worst_rows(at) if counts.wrong else [])]
    return Wrong(
        verdict=verdict(counts, next((level for level in Level if level in levels), Level.WELL)),
        counts=counts,
        groups=grouped(shown),
        more=counts.things - len(shown),
        by_host=by_host,
    )


def _tally(at: datetime) -> Tally:
    rows = Container.objects.exclude(state=State.MOVED).with_severity(at).order_by()
    by_trouble = rows.values_list("host_id", "severity")  # type: ignore[misc]
    waits = Count("id", filter=Q(container_id="", state=State.PENDING) | deploying_condition(at))
    found: dict[tuple[str, int], int] = {}
    waiting = 0
    for host, place, count, waiting_here in by_trouble.annotate(Count("id"), waits=waits):
        found[host, place] = count
        waiting += waiting_here if place == _NONE else 0
    return Tally(found, waiting)


def _worst_rows(at: datetime) -> list[Row]:
    rows = Container.objects.with_severity(at).filter(severity__range=(1, _NONE - 1))  # type: ignore[misc]
    worst_first = rows.order_by("severity", "id").values_list("id", flat=True)  # type: ignore[misc]
    worst = list(worst_first[:MOST_SHOWN])
    return read(annotated(Container.objects.filter(id__in=worst), at))
