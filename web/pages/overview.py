"""The first page: whether anything is wrong, what, since when, why, and on which host."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from reconciler.models import Condition, Container, Deployment, State, Trouble, WorkloadKind
from reconciler.models.deployment import deploying_condition
from reconciler.models.trouble import STUCK_AFTER, TROUBLE_WORDS
from reconciler.status import HostStatus, statuses
from web.pages.filters import STATES, Filters, read_filters
from web.pages.hosts import tiles_of
from web.pages.live import Content
from web.pages.serving import Reader, parts_of, serve
from web.pages.steps import latest_changes
from web.pages.table import workload_page
from web.pages.wrong import read_wrong
from web.version import VERSION

PARTS = ("verdict", "wrong", "hosts", "workloads", "changes", "itself")
MOST_CHANGES, MOST_DEPLOYS = 10, 10


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Show how everything is."""
    filters = read_filters(request.GET)
    return serve(request, "web/overview.html", lambda at, reader: _content(filters, at, reader), filters=filters)


def _content(filters: Filters, at: datetime, reader: Reader) -> Content:
    hosts = statuses(at)
    wrong = read_wrong(hosts, at, with_errors=reader.sees_errors)
    context: dict[str, Any] = {
        "at": at,
        "reader": reader,
        "wrong": wrong,
        "tiles": tiles_of(hosts, wrong.by_host),
        "filters": filters,
        "choices": _choices(hosts),
        "workloads": workload_page(filters, at),
        "changes": latest_changes(MOST_CHANGES),
        "leases": list(Deployment.objects.under_way(at)[:MOST_DEPLOYS]),
        "deploys": _deploys(at),
        "itself": _itself(hosts),
    }
    verdict = wrong.verdict
    return Content(
        title=f"{verdict.title} · Tinyforge index",
        level=verdict.level,
        says=verdict.sentence,
        parts=parts_of(PARTS, context),
    )


def _choices(hosts: list[HostStatus]) -> dict[str, list[tuple[str, str]]]:
    """Return what the filters offer."""
    return {
        "kind": [(str(value), str(label)) for value, label in WorkloadKind.choices],
        "host": [(host.host, host.host) for host in hosts],
        "state": [(state, state) for state in STATES],
        "trouble": [(kind.value, TROUBLE_WORDS[kind]) for kind in Trouble],
    }


def _deploys(at: datetime) -> list[tuple[Container, bool]]:
    """Return rows that wait for a container without a lease, the oldest first, and whether they have waited long."""
    waiting = Container.objects.placeholders().filter(state=State.PENDING).exclude(deploying_condition(at))
    oldest_first = waiting.order_by("created_at", "id")[:MOST_DEPLOYS]
    return [(row, row.created_at < at - STUCK_AFTER) for row in oldest_first]


def _itself(hosts: list[HostStatus]) -> dict[str, Any]:
    """Return how the index itself is doing."""
    on = [host for host in hosts if host.enabled]
    p50s = [host.latency_p50_ms for host in hosts if host.latency_p50_ms is not None]
    p99s = [host.latency_p99_ms for host in hosts if host.latency_p99_ms is not None]
    return {
        "version": VERSION,
        "hosts": len(on),
        "watched": sum(host.watching_since is not None for host in on),
        "fresh": sum(host.condition in (Condition.FRESH, Condition.HELD) for host in on),
        "waiting": sum(host.condition in (Condition.STALE, Condition.NEW) for host in on),
        "looked_at": max((host.last_success_at for host in on if host.last_success_at), default=None),
        "p50": max(p50s, default=None),
        "p99": max(p99s, default=None),
        "drift": sum(host.drift_found for host in hosts),
        "off": [host.host for host in hosts if not host.enabled],
    }
