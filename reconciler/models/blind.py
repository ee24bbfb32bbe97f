"""When hosts could not be seen: their outages, and those that nobody has noticed yet."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from django.utils import timezone

from reconciler.core.uptime import Span, merged
from reconciler.models.host import Host, succeeded_lately
from reconciler.models.outage import Outage, OutageKind

Blind = Mapping[str, list[Span]]
"""When each host could not be seen: in order, and without overlaps."""
EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


class Dark(NamedTuple):
    """A time in which a host could not be seen, and why."""

    host: str
    kind: str
    span: Span


def darkness(span: Span, hosts: Collection[str] | None = None) -> Iterator[Dark]:
    """Yield each time within a span in which one of these hosts, or any, could not be seen; they may overlap.

    A host that is stale has not been seen since its last success, whether somebody has noticed that or not.
    """
    noticed, known = Outage.objects.within(*span), Host.objects.all()
    if hosts is not None:
        noticed, known = noticed.filter(host__name__among=hosts), known.filter(name__among=hosts)
    columns = noticed.values_list("host_id", "kind", "began_at", "ended_at")
    found = [Dark(host, kind, Span(began_at, ended_at or LATEST)) for host, kind, began_at, ended_at in columns]
    now = timezone.now()
    for name, last in known.values_list("name", "last_success_at"):
        if not succeeded_lately(last, now):
            found.append(Dark(name, OutageKind.NOBODY_LOOKED, Span(last or EARLIEST, LATEST)))
    for host, kind, dark in found:
        if part := dark.within(span):
            yield Dark(host, kind, part)


def blindness(span: Span, hosts: Collection[str] | None = None) -> Blind:
    """Return when each of these hosts, or of all, could not be seen within a span."""
    spans: dict[str, list[Span]] = defaultdict(list)
    for host, _, part in darkness(span, hosts):
        spans[host].append(part)
    return {host: merged(parts) for host, parts in spans.items()}
