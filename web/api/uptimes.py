"""The uptime that answers tell, over the last day, week and month."""

from collections.abc import Callable
from datetime import datetime, timedelta

from reconciler.models import (
    Span,
    Uptime,
    timelines_of_rows,
    timelines_of_workloads,
    uptime_of,
    uptime_of_host,
)
from web.api import types
from web.api.types import moment

SPANS = {
    "last_24_hours": timedelta(hours=24),
    "last_7_days": timedelta(days=7),
    "last_30_days": timedelta(days=30),
}
LONGEST = max(SPANS.values())


def uptimes_of_container(row_id: str, at: datetime) -> types.Uptimes:
    """Return the uptime of one row."""
    until = _last_full_minute(at)
    pieces = timelines_of_rows([row_id], until - LONGEST, until)[row_id]
    return _over_each_span(lambda since: uptime_of(pieces, Span(since, until)), until)


def uptimes_of_workload(workload_id: str, at: datetime) -> types.Uptimes:
    """Return the uptime of one workload, which is up while at least one of its containers is."""
    until = _last_full_minute(at)
    pieces = timelines_of_workloads([workload_id], until - LONGEST, until)[workload_id]
    return _over_each_span(lambda since: uptime_of(pieces, Span(since, until)), until)


def uptimes_of_host(name: str, at: datetime) -> types.Uptimes:
    """Return the uptime of one host."""
    until = _last_full_minute(at)
    return _over_each_span(lambda since: uptime_of_host(name, since, until), until)


def _last_full_minute(at: datetime) -> datetime:
    """Return where the spans end: an answer that nothing else changes has the same tag for a minute."""
    return at.replace(second=0, microsecond=0)


def _over_each_span(uptime_since: Callable[[datetime], Uptime], until: datetime) -> types.Uptimes:
    told = {name: _told(uptime_since(until - length)) for name, length in SPANS.items()}
    return types.Uptimes(until=moment(until), **told)


def _told(found: Uptime) -> types.Uptime:
    return types.Uptime(
        up_seconds=found.up.total_seconds(),
        down_seconds=found.down.total_seconds(),
        unknown_seconds=found.unknown.total_seconds(),
        availability=found.availability,
        coverage=found.coverage,
    )
