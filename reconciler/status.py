"""How the index is doing, host by host: what `manage.py status` prints."""

import statistics
from collections import defaultdict
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Count

from reconciler.conf import engine_of, lock_of
from reconciler.exceptions import LockUnavailable
from reconciler.models import Container, Host


@dataclass(frozen=True, slots=True, kw_only=True)
class HostStatus:
    """One host: times are in UTC, ages in seconds, latencies in milliseconds from event to committed row."""

    host: str
    enabled: bool
    engine: str
    watching_since: datetime | None
    last_success_at: datetime | None
    age_seconds: float | None
    stale: bool
    error: str
    containers: dict[str, int]
    events_seen: int
    passes_asked: int
    drift_found: int
    drift_found_at: datetime | None
    latency_count: int
    latency_p50_ms: float | None
    latency_p99_ms: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return the status in JSON's terms."""
        plain = asdict(self)
        for name in ("watching_since", "last_success_at", "drift_found_at"):
            plain[name] = plain[name] and plain[name].isoformat()
        return plain


def statuses(at: datetime) -> list[HostStatus]:
    """Return the status of every host, in two queries and one look at Redis per host."""
    containers: dict[str, dict[str, int]] = defaultdict(dict)
    for host, state, count in Container.objects.values_list("host_id", "state").annotate(Count("id")).order_by():
        containers[host][state or "pending"] = count
    return [_status(host, containers[host.name], at) for host in Host.objects.all()]


def _status(host: Host, containers: dict[str, int], at: datetime) -> HostStatus:
    latencies = _latencies(host.name)
    return HostStatus(
        host=host.name,
        enabled=host.enabled,
        engine=engine_of(host).url,
        watching_since=host.watching_since if host.is_watched(at) else None,
        last_success_at=host.last_success_at,
        age_seconds=round((at - host.last_success_at).total_seconds(), 1) if host.last_success_at else None,
        stale=host.enabled and host.is_stale(at, settings.RECONCILE_INTERVAL),
        error=host.last_error,
        containers=containers,
        events_seen=host.events_seen,
        passes_asked=host.passes_asked,
        drift_found=host.drift_found,
        drift_found_at=host.drift_found_at,
        latency_count=len(latencies),
        latency_p50_ms=percentile(latencies, 50),
        latency_p99_ms=percentile(latencies, 99),
    )


def _latencies(host: str) -> list[float]:
    try:
        return lock_of(host).latencies()
    except LockUnavailable:
        # the window of latencies lives with the locks, and is gone with them
        return []


def percentile(values: list[float], percent: int) -> float | None:
    """Return a percentile, or None of no values."""
    if len(values) < 2:
        return values[0] if values else None
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
