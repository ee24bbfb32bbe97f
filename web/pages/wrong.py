"""Reads what is wrong and who is told of it, and counts it, in as many queries for ten rows as for ten thousand."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Count, Q

from reconciler.levels import Level, level_of
from reconciler.models import Container, State
from reconciler.models.deployment import deploying_condition
from reconciler.models.trouble import WORST_FIRST
from reconciler.status import HostStatus
from web.pages.incidents import firing_rows, of_hosts, of_rows, of_the_index, rank_of_rows, read_tellings, standing_rows
from web.pages.merging import told_things_of_hosts, told_things_of_rows
from web.pages.row import Row
from web.pages.rows import annotated, read
from web.pages.things import Group, Thing, grouped, things_of_hosts
from web.pages.verdict import Counts, Verdict, verdict

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
    """How many rows there are by host and worst trouble, and how many of those in none wait for a container.

    `told` counts rows in no trouble that people are told of, and `over` those of which it seems to be over. `dark`
    counts, by host, rows that are not known and that people were told of.
    """

    rows: dict[tuple[str, int], int]
    waiting: int
    told: int
    over: int
    dark: dict[str, int]

    def wrong_by_host(self) -> dict[str, int]:
        """Count the rows that are known to be in trouble."""
        found: Counter[str] = Counter()
        for (host, place), count in self.rows.items():
            if 0 < place < _NONE:
                found[host] += count
        return found


def read_wrong(hosts: Sequence[HostStatus], at: datetime, *, with_errors: bool) -> Wrong:
    """Read what is wrong with these hosts, with all rows and with the index itself, and what people are told of it."""
    tally, rows = _tally(at), _worst_rows(at)
    incidents = of_rows([row.id for row in rows]) | of_hosts() | of_the_index()
    tellings = read_tellings(incidents, at)
    of_all = told_things_of_hosts(things_of_hosts(hosts, with_errors=with_errors), tellings, tally.dark)
    counts = _counts(tally, of_all, len(hosts))
    levels = {thing.level for thing in of_all}
    levels |= {level_of(WORST_FIRST[place]) for _, place in tally.rows if 0 < place < _NONE}
    shown = [*sorted(of_all, key=_worst_first)[:MOST_SHOWN], *told_things_of_rows(rows, tellings)]
    levels |= {thing.level for thing in shown}
    return Wrong(
        verdict=verdict(counts, next((level for level in Level if level in levels), Level.WELL)),
        counts=counts,
        groups=grouped(shown),
        more=max(0, counts.things + counts.over - len(shown)),
        by_host=tally.wrong_by_host(),
    )


def _counts(tally: Tally, of_hosts: Sequence[Thing], hosts: int) -> Counts:
    wrong = sum(tally.wrong_by_host().values())
    over = sum(thing.level is Level.WELL for thing in of_hosts)
    return Counts(
        hosts=hosts,
        containers=sum(tally.rows.values()),
        wrong=wrong,
        unknown=sum(count for (_, place), count in tally.rows.items() if place == 0),
        waiting=tally.waiting,
        things=wrong + tally.told + len(of_hosts) - over,
        over=tally.over + over,
    )


def _worst_first(thing: Thing) -> tuple[tuple[int, bool], int, str]:
    return thing.rank, thing.place, thing.host


def _tally(at: datetime) -> Tally:
    rows = Container.objects.exclude(state=State.MOVED).with_severity(at).order_by()
    by_trouble = rows.values_list("host_id", "severity").annotate(  # type: ignore[misc]
        Count("id"),
        waits=Count("id", filter=Q(container_id="", state=State.PENDING) | deploying_condition(at)),
        fires=Count("id", filter=Q(id__in=firing_rows())),
        stands=Count("id", filter=Q(id__in=standing_rows())),
    )
    tally = Tally({}, 0, 0, 0, {})
    waiting = told = over = 0
    for host, place, count, waits, fires, stands in by_trouble:
        tally.rows[host, place] = count
        if place == 0:
            tally.dark[host] = stands
        elif place == _NONE:
            waiting, told, over = waiting + waits, told + fires, over + stands - fires
    return replace(tally, waiting=waiting, told=told, over=over)


def _worst_rows(at: datetime) -> list[Row]:
    """Return the rows that come first: what people are told of, then what else is in trouble, then what is over."""
    rows = Container.objects.exclude(state=State.MOVED).with_severity(at).annotate(rank=rank_of_rows())
    is_told = Q(severity=_NONE, id__in=standing_rows())
    wanted = rows.filter(Q(severity__range=(1, _NONE - 1)) | is_told)
    worst = list(wanted.order_by("rank", "severity", "id").values_list("id", flat=True)[:MOST_SHOWN])  # type: ignore[misc]
    return read(annotated(Container.objects.filter(id__in=worst), at))
