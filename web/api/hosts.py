"""The hosts: how they are doing; and asking for a pass."""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from reconciler.api import CannotAsk, request_pass
from reconciler.models import Feed, Host
from reconciler.models.condition import condition
from reconciler.status import row_counts
from web import audit
from web.api import types
from web.api.endpoint import Call, Endpoint
from web.api.pages import PageQuery, cut, part_of
from web.api.types import moment
from web.api.uptimes import uptimes_of_host
from web.models import Scope
from web.problems import Problem, Refused


def list_hosts(call: Call[PageQuery]) -> types.HostPage:
    """Return a page of hosts. The cursor is read before the rows, so that no change after it is missed."""
    cursor = Feed.of_this_database().newest()
    found, after = cut(list(part_of(Host.objects.all(), call.query)), call.query.limit, attrgetter("name"))
    return types.HostPage(items=_served(found, call.at), next=after, as_of=moment(call.at), cursor=cursor)


def get_host(call: Call[Any]) -> types.HostAnswer:
    """Return one host. Raises Refused."""
    cursor = Feed.of_this_database().newest()
    item, uptime = _served([_host(call.key)], call.at)[0], uptimes_of_host(call.key, call.at)
    return types.HostAnswer(item=item, uptime=uptime, as_of=moment(call.at), cursor=cursor)


def ask_for_pass(call: Call[Any]) -> types.Asked:
    """Ask the workers to look at a host. Raises Refused."""
    host = _host(call.key)
    if not host.enabled:
        raise Refused(Problem.CONFLICT, f"host {host.name} is off, so nobody looks at it: enable it first")
    try:
        request_pass(host.name)
    except CannotAsk as error:
        raise Refused(Problem.UNAVAILABLE, "Redis does not answer, so no worker can be asked") from error
    audit.note_of(call.who, host, f"Asked for a pass, from {call.address}.")
    return types.Asked(host=host.name, as_of=moment(call.at))


def _host(name: str) -> Host:
    found = Host.objects.filter(name=name).first()
    if found is None:
        raise Refused(Problem.NOT_FOUND, f"there is no host {name!r}")
    return found


def _served(hosts: Sequence[Host], at: datetime) -> list[types.Host]:
    counts = row_counts(hosts, at)
    return [
        types.Host(
            name=host.name,
            enabled=host.enabled,
            condition=condition(host, at),
            watched=host.is_watched(at),
            last_success_at=_moment(host.last_success_at),
            failures=host.failures,
            retry_at=_moment(host.retry_at),
            held_since=_moment(host.held_since),
            held_rows=host.held_count,
            containers=counts[host.name].effective,
            last_known=counts[host.name].last_known,
            looping=counts[host.name].looping,
            events_seen=host.events_seen,
            passes_asked=host.passes_asked,
            drift_found=host.drift_found,
            drift_found_at=_moment(host.drift_found_at),
        )
        for host in hosts
    ]


def _moment(at: datetime | None) -> str | None:
    return moment(at) if at else None


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="hosts",
        handler=list_hosts,
        summary="List hosts",
        query=PageQuery,
        answer=types.HostPage,
    ),
    Endpoint(
        method="GET",
        path="hosts/{name}",
        handler=get_host,
        summary="One host",
        answer=types.HostAnswer,
    ),
    Endpoint(
        method="POST",
        path="hosts/{name}/reconcile",
        handler=ask_for_pass,
        summary="Have a host looked at now",
        answer=types.Asked,
        scope=Scope.DEPLOY,
        status=202,
        problems=(Problem.CONFLICT, Problem.UNAVAILABLE),
    ),
)
