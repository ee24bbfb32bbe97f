"""I/O: what the index says at one moment, out of the database, in a constant number of queries."""

from collections import Counter
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db.models import Q

from alerts import outbox
from alerts.core.conditions import Condition, SubjectKind, subject_kind
from alerts.core.drift import growth, remembered
from alerts.core.facts import Facts, HostFact, Key, RowFact
from alerts.core.rules import FLAPPING_WITHIN, HARMLESS_EXITS
from alerts.models import Incident, Judge
from reconciler.models import Container, Host, Outage, State, Transition
from reconciler.readiness import neglected_hosts, unfollowed_hosts

BEAT_SILENT_AFTER = timedelta(seconds=60)
COLUMNS = ("host_id", "workload_id", "container_id", "image_ref", "state", "health", "exit_code", "alerts")
MOST_NAMED = 5
"""So many hosts are named in a text; of the others, the number is told."""


class Reading(NamedTuple):
    """What the index says, up to which entry of the feed, and what is to be remembered of drift."""

    facts: Facts
    position: int
    drift: dict[str, list[tuple[float, int]]]


def read(judge: Judge, keys: Collection[Key], at: datetime) -> Reading:
    """Return what the index says, and what it says of everything that has an open incident."""
    position = Transition.objects.order_by("-id").values_list("id", flat=True).first() or 0
    drift = remembered(judge.drift, dict(Host.objects.values_list("name", "drift_found")), at)
    hosts = {host.name: host_fact(host, growth(drift.get(host.name, ())), at) for host in _hosts()}
    ooms = _killed_for_want_of_memory(judge.position, position)
    # after the hosts: what their rows say is then no older than the look that a host tells of
    rows = _rows(keys, ooms, at)
    troubles = _troubles(judge, at)
    return Reading(Facts(rows=rows, hosts=hosts, ooms=ooms, fired=fired_lately(at), troubles=troubles), position, drift)


def _hosts() -> Collection[Host]:
    return Host.objects.defer("held", "swept", "skips")


def host_fact(host: Host, drift: int, at: datetime) -> HostFact:
    """Return what matters of a host."""
    return HostFact(
        name=host.name,
        is_enabled=host.enabled,
        is_blind=not host.can_be_asked(at),
        seen_at=host.sightings_at,
        success_at=host.last_success_at,
        error_at=host.last_error_at if host.last_error else None,
        is_held=host.held_since is not None,
        drift=drift,
    )


def _rows(keys: Collection[Key], ooms: Collection[str], at: datetime) -> dict[str, RowFact]:
    """Return all rows that may be in trouble, and those that have an open incident, or an end to tell of."""
    looping = looping_rows(at)
    orphans = set(Container.objects.orphans().values_list("id", flat=True))
    open_rows = {subject for condition, subject in keys if subject_kind(condition) is SubjectKind.ROW}
    ended = Q(state=State.STOPPED, exit_code__isnull=False) & ~Q(exit_code__in=sorted(HARMLESS_EXITS))
    in_a_bad_state = Q(state__in=(State.MISSING, State.FAILED, State.CREATED)) | ended | Q(health="unhealthy")
    placeholder = Q(container_id="") & ~Q(state=State.MOVED)
    named = Q(id__among=sorted({*open_rows, *looping, *orphans, *ooms}))
    restarts = _restarts({subject for condition, subject in keys if condition is Condition.LOOPING}, at)
    rows = Container.objects.filter(in_a_bad_state | placeholder | named).with_deploying(at).order_by("id")
    found = {}
    for row_id, is_deploying, *values in rows.values_list("id", "is_deploying", *COLUMNS):
        found[row_id] = RowFact(
            row_id,
            **dict(zip(("host", *COLUMNS[1:-1], "told"), values, strict=True)),
            is_deploying=bool(is_deploying),
            is_looping=row_id in looping,
            is_orphan=row_id in orphans,
            restarts=restarts.get(row_id, 0),
        )
    return found


def looping_rows(at: datetime) -> set[str]:
    """Return the rows in a restart loop, as far as anybody has seen it.

    What was restarted while its host could not be seen may have been so long ago: a pass that ends an outage finds
    only how often. So these restarts do not count.
    """
    rows = {row_id: key for row_id, *key in Container.objects.looping(at).values_list("id", "container_id", "host_id")}
    if not rows:
        return set()
    since = at - timedelta(seconds=settings.RESTART_LOOP_SECONDS)
    in_the_dark = set(Outage.objects.filter(ended_at__gte=since).values_list("host_id", "ended_at"))
    entries = Transition.objects.filter(row__id__among=sorted(rows), restarts__gt=0, at__gte=since)
    counts: Counter[str] = Counter()
    for row_id, container_id, host, moment, restarts in entries.values_list(
        "row_id", "container_id", "host_id", "at", "restarts"
    ):
        if [container_id, host] == rows[row_id] and (host, moment) not in in_the_dark:
            counts[row_id] += restarts
    return {row_id for row_id, count in counts.items() if count >= settings.RESTART_LOOP_COUNT}


def _restarts(row_ids: Collection[str], at: datetime) -> dict[str, int]:
    """Return how often these rows have restarted lately."""
    rows = Container.objects.filter(id__among=sorted(row_ids)).with_restarts(at) if row_ids else ()
    return {row.id: row.restarts_lately for row in rows}  # type: ignore[attr-defined]


def _killed_for_want_of_memory(since: int | None, position: int) -> frozenset[str]:
    """Return the rows of which the feed tells such an end, after an entry of it; none at the very first look."""
    if since is None or since > position:
        return frozenset()
    told = Transition.objects.steps().filter(id__gt=since, id__lte=position, oom_killed=True)
    ended = Q(to_state__in=(State.STOPPED, State.RESTARTING)) | Q(restarts__gt=0)
    return frozenset(told.filter(ended).values_list("row_id", flat=True))


def fired_lately(at: datetime) -> dict[Key, int]:
    """Return how often each incident has fired within the time in which so many are too many."""
    lately = Incident.objects.filter(fired_at__range=(at - FLAPPING_WITHIN, at))
    return dict(Counter((Condition(name), subject) for name, subject in lately.values_list("condition", "subject")))


def _troubles(judge: Judge, at: datetime) -> dict[Condition, str]:
    """Return what is wrong with the index itself, in words."""
    found = {
        Condition.NO_WORKER: _names(neglected_hosts(at), "nobody looks at"),
        Condition.NO_WATCHER: _names(unfollowed_hosts(at), "nobody follows the events of"),
        Condition.NO_BEAT: "beat asks for no looks"
        if judge.beat_at and not timedelta() <= at - judge.beat_at <= BEAT_SILENT_AFTER
        else "",
        Condition.DELIVERIES: outbox.trouble(at, judge.told_at),
    }
    return {condition: text for condition, text in found.items() if text}


def _names(hosts: Collection[str], what: str) -> str:
    named = sorted(hosts)
    more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    return f"{what} {', '.join(named[:MOST_NAMED])}{more}" if named else ""
