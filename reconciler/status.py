"""How the index is doing, host by host, as `manage.py status` prints it."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Case, Count, When

from reconciler.conf import engine_of
from reconciler.core.report import Outcome
from reconciler.exceptions import LockUnavailable
from reconciler.lock import connect, latencies, outcomes
from reconciler.models import UNKNOWN, Condition, Container, Host, State
from reconciler.models.condition import condition

_CONDITION_WORDS = {
    Condition.OFF: "off",
    Condition.STALE: "stale",
    Condition.NEW: "not looked at yet",
    Condition.FRESH: "fresh",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HostStatus:
    """One host. Times are in UTC, ages in seconds, latencies in milliseconds from the event to the committed row.

    `containers` counts rows by their effective state, `last_known` unknown rows by their last known state.
    `looping` counts restart loops.
    """

    host: str
    enabled: bool
    engine: str
    condition: Condition
    condition_text: str
    watching_since: datetime | None
    last_success_at: datetime | None
    age_seconds: float | None
    stale: bool
    error: str
    failures: int
    retry_at: datetime | None
    held_since: datetime | None
    held_reason: str
    held_rows: int
    containers: dict[str, int]
    last_known: dict[str, int]
    looping: int
    events_seen: int
    passes_asked: int
    drift_found: int
    drift_found_at: datetime | None
    latency_count: int
    latency_p50_ms: float | None
    latency_p99_ms: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return the status as a dictionary that JSON can hold."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(self).items()
        }


@dataclass(slots=True)
class RowCounts:
    """Rows of one host by their effective state, unknown ones by the state they had, and how many restart loops."""

    effective: dict[str, int]
    last_known: dict[str, int]
    looping: int = 0


def statuses(at: datetime) -> list[HostStatus]:
    """Return the status of every host, in three queries and one look at Redis."""
    hosts = list(Host.objects.all())
    counts = row_counts(hosts, at)
    noted = _latencies([host.name for host in hosts])
    return [_status(host, counts[host.name], noted.get(host.name, []), at) for host in hosts]


def status_of(name: str, at: datetime) -> HostStatus | None:
    """Return the status of one host; None if there is no such host."""
    host = Host.objects.filter(name=name).first()
    if host is None:
        return None
    return _status(host, row_counts([host], at)[name], _latencies([name]).get(name, []), at)


def pass_outcomes() -> dict[Outcome, int]:
    """Return how many passes ended in each way, as far as Redis remembers; nothing if Redis does not answer."""
    try:
        found = outcomes(connect(settings.REDIS_URL))
    except LockUnavailable:
        return {}
    return {outcome: found.get(outcome, 0) for outcome in Outcome if outcome is not Outcome.PLANNED}


def condition_text(host: Host, at: datetime) -> str:
    """Return in a few words how a host is doing."""
    found = condition(host, at)
    if found is Condition.FAILING:
        wait = (host.retry_at - at).total_seconds() if host.retry_at else 0
        again = f", next try in {wait:.0f} s" if wait > 0 else ""
        return f"failing ({host.failures}×{again})"
    return f"held: {host.held_reason}" if found is Condition.HELD else _CONDITION_WORDS[found]


def row_counts(hosts: Sequence[Host], at: datetime) -> dict[str, RowCounts]:
    """Count the rows of these hosts in two queries.

    The rows are counted by what they hold alone, because whether their host can be asked is the same for all of them.
    """
    cannot_be_asked = {host.name: not host.can_be_asked(at) for host in hosts}
    counts: dict[str, RowCounts] = {host.name: RowCounts({}, {}) for host in hosts}
    rows = Container.objects.filter(host__name__among=list(counts)).order_by()
    by_state = rows.values_list("host_id", "state", Case(When(container_id="", then=False), default=True))
    for name, stored, is_bound, count in by_state.annotate(count=Count("*")):
        of, state = counts[name], stored or State.PENDING.label
        is_unknown = is_bound and cannot_be_asked[name]
        effective = UNKNOWN if is_unknown else state
        of.effective[effective] = of.effective.get(effective, 0) + count
        if is_unknown:
            of.last_known[state] = count
    looping = Container.objects.looping(at).filter(host__name__among=list(counts)).order_by()
    for name, count in looping.values_list("host_id").annotate(count=Count("*")):
        counts[name].looping = count
    return counts


def _status(host: Host, counts: RowCounts, noted: Sequence[float], at: datetime) -> HostStatus:
    return HostStatus(
        host=host.name,
        enabled=host.enabled,
        engine=engine_of(host).shown_url,
        condition=condition(host, at),
        condition_text=condition_text(host, at),
        watching_since=host.watching_since if host.is_watched(at) else None,
        last_success_at=host.last_success_at,
        age_seconds=round((at - host.last_success_at).total_seconds(), 1) if host.last_success_at else None,
        stale=host.enabled and host.is_stale(at),
        error=host.last_error,
        failures=host.failures,
        retry_at=host.retry_at,
        held_since=host.held_since,
        held_reason=host.held_reason,
        held_rows=host.held_count,
        containers=counts.effective,
        last_known=counts.last_known,
        looping=counts.looping,
        events_seen=host.events_seen,
        passes_asked=host.passes_asked,
        drift_found=host.drift_found,
        drift_found_at=host.drift_found_at,
        latency_count=len(noted),
        latency_p50_ms=percentile(noted, 50),
        latency_p99_ms=percentile(noted, 99),
    )


def _latencies(hosts: list[str]) -> dict[str, list[float]]:
    try:
        return latencies(connect(settings.REDIS_URL), hosts)
    except LockUnavailable:
        # latencies are kept in Redis beside the locks, and are lost with them
        return {}


def percentile(values: Sequence[float], percent: int) -> float | None:
    """Return a percentile, or None if there are no values."""
    if len(values) < 2:
        return values[0] if values else None
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
