"""What is being deployed: leases, which are begun, prolonged and given back."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from django.db.models import Max, Q
from msgspec import UNSET, UnsetType

from reconciler import api
from reconciler.models import Deployment, Feed
from web.api import types
from web.api.endpoint import Call, Endpoint
from web.api.pages import Number, PageQuery, cut, part_of
from web.api.reading import Texts
from web.api.refusals import refusals
from web.api.types import moment
from web.models import Scope
from web.problems import Problem, Refused


class DeploymentQuery(PageQuery, forbid_unknown_fields=True, kw_only=True):
    """Which deployments that are under way are wanted."""

    after: Number | UnsetType = UNSET
    workload: Texts = ()
    row: Texts = ()


def list_deployments(call: Call[DeploymentQuery]) -> types.DeploymentPage:
    """Return a page of the deployments under way. The cursor is read before them, so that no change is missed."""
    cursor = Feed.of_this_database().newest()
    wanted = {"workload_id": call.query.workload, "row_id": call.query.row}
    leases = Deployment.objects.under_way(call.at)
    leases = leases.filter(**{f"{column}__in": values for column, values in wanted.items() if values})
    found, after = cut(list(part_of(leases, call.query)), call.query.limit, lambda lease: str(lease.pk))
    return types.DeploymentPage(
        items=[_served(lease) for lease in found], next=after, as_of=moment(call.at), cursor=cursor
    )


def deploy_workload(call: Call[Any]) -> types.DeploymentAnswer:
    """Begin or prolong the deploy of a workload. Raises Refused."""
    return _begin(call, workload=call.key)


def deploy_container(call: Call[Any]) -> types.DeploymentAnswer:
    """Begin or prolong the deploy of a single row. Raises Refused."""
    return _begin(call, row=call.key)


def end_deploy_of_workload(call: Call[Any]) -> types.DeploymentAnswer:
    """Give back the deploy of a workload. Raises Refused."""
    return _end(call, workload=call.key)


def end_deploy_of_container(call: Call[Any]) -> types.DeploymentAnswer:
    """Give back the deploy of a single row. Raises Refused."""
    return _end(call, row=call.key)


def deployments_now(targets: Collection[tuple[str, str]]) -> dict[tuple[str, str], types.Deployment]:
    """Return the newest deployments of these workloads (first) or rows (second), as they are now."""
    workloads, rows = ({target[place] for target in targets if target[place]} for place in (0, 1))
    of_them = Deployment.objects.filter(Q(workload_id__in=workloads, row_id="") | Q(row_id__in=rows, workload_id=""))
    newest = of_them.order_by().values("workload_id", "row_id").annotate(newest=Max("id")).values("newest")
    found = Deployment.objects.filter(id__in=newest)
    return {(lease.workload_id, lease.row_id): _served(lease) for lease in found}


def _begin(call: Call[Any], **target: str) -> types.DeploymentAnswer:
    cursor = Feed.of_this_database().newest()
    with refusals():
        lease = api.begin_deployment(**target, lasts=timedelta(seconds=call.body.seconds), by=call.by)
    return types.DeploymentAnswer(item=_served(lease), as_of=moment(call.at), cursor=cursor)


def _end(call: Call[Any], **target: str) -> types.DeploymentAnswer:
    cursor = Feed.of_this_database().newest()
    lease = api.end_deployment(**target, by=call.by)
    if lease is None:
        raise Refused(Problem.NOT_FOUND, f"{call.key!r} is not being deployed; has the deploy ended by itself?")
    return types.DeploymentAnswer(item=_served(lease), as_of=moment(call.at), cursor=cursor)


def _served(lease: Deployment) -> types.Deployment:
    return types.Deployment(
        id=lease.pk,
        workload=lease.workload_id,
        row=lease.row_id,
        began_at=moment(lease.began_at),
        ends_at=moment(lease.ends_at),
        ended_at=moment(lease.ended_at) if lease.ended_at else None,
        by=lease.by,
    )


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="deployments",
        handler=list_deployments,
        summary="List what is being deployed",
        query=DeploymentQuery,
        answer=types.DeploymentPage,
    ),
    Endpoint(
        method="PUT",
        path="deployments/workloads/{id}",
        handler=deploy_workload,
        summary="Say that a workload is being deployed",
        body=types.Lease,
        answer=types.DeploymentAnswer,
        scope=Scope.DEPLOY,
        problems=(Problem.CONFLICT,),
    ),
    Endpoint(
        method="DELETE",
        path="deployments/workloads/{id}",
        handler=end_deploy_of_workload,
        summary="Say that the deploy of a workload is over",
        answer=types.DeploymentAnswer,
        scope=Scope.DEPLOY,
    ),
    Endpoint(
        method="PUT",
        path="deployments/containers/{id}",
        handler=deploy_container,
        summary="Say that a single row is being deployed",
        body=types.Lease,
        answer=types.DeploymentAnswer,
        scope=Scope.DEPLOY,
        problems=(Problem.CONFLICT,),
    ),
    Endpoint(
        method="DELETE",
        path="deployments/containers/{id}",
        handler=end_deploy_of_container,
        summary="Say that the deploy of a single row is over",
        answer=types.DeploymentAnswer,
        scope=Scope.DEPLOY,
    ),
)
