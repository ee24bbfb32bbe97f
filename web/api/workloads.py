"""The workloads that containers serve."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from django.db.models import Count, Exists, OuterRef, QuerySet
from msgspec import UNSET, UnsetType

from reconciler.models import Container, Feed, Trouble, Workload
from web.api import types
from web.api.columns import state_text
from web.api.containers import containers_of
from web.api.endpoint import Call, Endpoint
from web.api.pages import PageQuery, cut, part_of
from web.api.reading import Texts
from web.api.types import moment
from web.api.uptimes import uptimes_of_workload
from web.problems import Problem, Refused


class WorkloadQuery(PageQuery, forbid_unknown_fields=True, kw_only=True):
    """Which workloads are wanted: those with a container on such a host and in such trouble, if these are given."""

    kind: Texts = ()
    host: Texts = ()
    trouble: Trouble | UnsetType = UNSET


def list_workloads(call: Call[WorkloadQuery]) -> types.WorkloadPage:
    """Return a page of workloads. The cursor is read before the rows, so that no change after it is missed."""
    cursor = Feed.of_this_database().newest()
    found, after = cut(list(part_of(_wanted(call.query, call.at), call.query)), call.query.limit, attrgetter("id"))
    counts = _counts([row.id for row in found], call.at)
    items = [_served(row, counts) for row in found]
    return types.WorkloadPage(items=items, next=after, as_of=moment(call.at), cursor=cursor)


def get_workload(call: Call[Any]) -> types.WorkloadAnswer:
    """Return one workload with its containers. Raises Refused."""
    cursor = Feed.of_this_database().newest()
    found = Workload.objects.filter(id=call.key).first()
    if found is None:
        raise Refused(Problem.NOT_FOUND, f"there is no workload {call.key!r}")
    item = _served(found, _counts([found.id], call.at))
    of_it, after = containers_of(found.id, call.at)
    uptime = uptimes_of_workload(found.id, call.at)
    return types.WorkloadAnswer(
        item=item, uptime=uptime, containers=of_it, next=after, as_of=moment(call.at), cursor=cursor
    )


def _wanted(query: WorkloadQuery, at: datetime) -> "QuerySet[Workload]":
    rows = Workload.objects.filter(kind__in=query.kind) if query.kind else Workload.objects.all()
    if not query.host and query.trouble is UNSET:
        return rows
    its = Container.objects.filter(workload=OuterRef("id"))
    if query.host:
        its = its.filter(host__in=query.host)
    if query.trouble is not UNSET:
        its = its.in_trouble(query.trouble, at)
    return rows.filter(Exists(its))


def _counts(workloads: Sequence[str], at: datetime) -> dict[str, dict[str, int]]:
    """Return how many containers each workload has in each effective state."""
    rows = Container.objects.with_effective_state(at).filter(workload__in=workloads).order_by()
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for workload, state, count in rows.values_list("workload", state_text("effective_state")).annotate(Count("id")):
        counts[workload][state] = count
    return counts


def _served(row: Workload, counts: dict[str, dict[str, int]]) -> types.Workload:
    return types.Workload(row.id, row.kind, row.ref_id, row.name, counts[row.id])


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="workloads",
        handler=list_workloads,
        summary="List workloads",
        query=WorkloadQuery,
        answer=types.WorkloadPage,
    ),
    Endpoint(
        method="GET",
        path="workloads/{id}",
        handler=get_workload,
        summary="One workload with its containers and its uptime",
        answer=types.WorkloadAnswer,
    ),
)
