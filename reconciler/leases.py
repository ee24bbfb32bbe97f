"""I/O: what is being deployed: begins, prolongs and ends the leases of deployers, and tells the feed."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db import transaction

from reconciler import feed
from reconciler.core.causes import by_whom, storable
from reconciler.exceptions import BadValue, Conflict, UnknownRow, UnknownWorkload
from reconciler.models import ChangeKind, Container, Deployment, DeploymentState, Transition, Workload
from reconciler.models.deployment import LONGEST_DEPLOYMENT, DeploymentQuerySet

SHORTEST_DEPLOYMENT = timedelta(seconds=1)
ENDED_BY_ITSELF = "the deploy was not given back, and ended by itself"


class Target(NamedTuple):
    """What is deployed: a workload, or a single row. The other one is empty."""

    workload_id: str
    row_id: str

    def check(self) -> None:
        """Raise BadValue, UnknownRow or UnknownWorkload if this cannot be deployed."""
        if bool(self.workload_id) == bool(self.row_id):
            raise BadValue("either a workload or a row is deployed: name one of them")
        if self.row_id and not Container.objects.filter(id=self.row_id).exists():
            raise UnknownRow(self.row_id)
        if self.workload_id and not _is_known(self.workload_id):
            raise UnknownWorkload(self.workload_id)


def begin(target: Target, lasts: timedelta, by: str, at: datetime) -> Deployment:
    """Begin to deploy something, or prolong the deploy that is under way.

    Raises BadValue, UnknownRow or UnknownWorkload; and Conflict if somebody gives it back at the same moment.
    """
    if not SHORTEST_DEPLOYMENT <= lasts <= LONGEST_DEPLOYMENT:
        raise BadValue(f"a deploy is begun for 1 second to 30 minutes, not for {lasts}; later it can be prolonged")
    target.check()
    with transaction.atomic(durable=True):
        entries = _end_by_themselves(_open(target).over(at), at)
        given = {"began_at": at, "ends_at": at + lasts, "by": storable(by)}
        lease, is_new = Deployment.objects.get_or_create(**target._asdict(), ended_at=None, defaults=given)
        if not is_new:
            lease = _prolong(target, lasts, by, at)
        began, before = ("began", "") if is_new else ("was prolonged", DeploymentState.DEPLOYING)
        cause = f"a deploy {began}{by_whom(by)}; it ends by itself at {lease.ends_at.astimezone(UTC):%H:%M:%S} UTC"
        feed.append([*entries, *_entries({lease: at}, before, DeploymentState.DEPLOYING, cause)])
    return lease


def end(target: Target, by: str, at: datetime) -> Deployment | None:
    """Give back what is being deployed; None if it has ended by itself, or never began. Raises BadValue."""
    with transaction.atomic(durable=True):
        entries = _end_by_themselves(_open(target).over(at), at)
        lease = _open(target).first()
        if lease:
            lease.end(at)
            lease.save()
            cause = f"the deploy was given back{by_whom(by)}"
            entries += _entries({lease: at}, DeploymentState.DEPLOYING, DeploymentState.DEPLOYED, cause)
        feed.append(entries)
    return lease


def note_ends(at: datetime) -> None:
    """Tell the feed which deploys have ended by themselves. One that somebody has locked is left for the next time."""
    if Deployment.objects.over(at).exists():
        with transaction.atomic():
            free = Deployment.objects.over(at).select_for_update(skip_locked=True).order_by("id")
            feed.append(_end_by_themselves(free, at))


def _prolong(target: Target, lasts: timedelta, by: str, at: datetime) -> Deployment:
    lease = _open(target).first()
    if lease is None:
        raise Conflict("the deploy was given back at this very moment: begin it again")
    lease.by = storable(by)
    lease.prolong(lasts, at)
    lease.save()
    return lease


def _open(target: Target) -> DeploymentQuerySet:
    """Return the deployment of this target that has not ended, and lock it."""
    return Deployment.objects.filter(**target._asdict(), ended_at=None).select_for_update()


def _end_by_themselves(leases: DeploymentQuerySet, at: datetime) -> list[Transition]:
    """Note that deployments have ended by themselves, when their time had come; return what the feed is told."""
    ends = {lease: min(lease.ends_at, at) for lease in leases}
    for lease, moment in ends.items():
        lease.end(moment)
        lease.save()
    return _entries(ends, DeploymentState.DEPLOYING, DeploymentState.DEPLOYED, ENDED_BY_ITSELF)


def _entries(moments: Mapping[Deployment, datetime], before: str, after: str, cause: str) -> list[Transition]:
    """Return what the feed is told about deployments, at these moments."""
    rows = Container.objects.filter(id__among=[lease.row_id for lease in moments if lease.row_id])
    known = {row_id: columns for row_id, *columns in rows.values_list("id", "workload_id", "host_id")}
    entries = []
    for lease, at in moments.items():
        workload_id, host = known.get(lease.row_id, (lease.workload_id, ""))
        of_it = {"row_id": lease.row_id, "workload_id": workload_id, "host_id": host}
        changed = {"from_state": before, "to_state": after, "at": at, "cause": cause}
        entries.append(Transition(kind=ChangeKind.DEPLOYMENT, **of_it, **changed))
    return entries


def _is_known(workload_id: str) -> bool:
    of_it = Container.objects.filter(workload_id=workload_id)
    return Workload.objects.filter(id=workload_id).exists() or of_it.exists()
