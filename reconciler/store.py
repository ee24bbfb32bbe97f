"""I/O: rows and catalogue out of the database, a plan into it, in a constant number of queries (I11).

It decides nothing: a change is applied if its row is still as the plan read it (I5) and no younger
pass of the host has applied (I6), else it is dropped and counted.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import F, Q, QuerySet
from msgspec.structs import astuple

from reconciler import lookups  # noqa: F401 - registers `among`
from reconciler.dispatch import PROJECT, SITE, STACK, Catalogue, InstanceFacts, Needs, Row
from reconciler.models import Container, Host, Instance, Stack, Workload
from reconciler.plan import MISSING, Change, Kind, Plan

ROW_COLUMNS = tuple("host_id" if name == "host" else name for name in Row.__struct_fields__)
OBSERVED_COLUMNS = ROW_COLUMNS[1:10]
COPIED_COLUMNS = ROW_COLUMNS[10:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What became of a plan: the changes made, and those dropped because somebody was faster.

    `overtaken`: an older pass applied after this one had read its rows; what this pass found
    unchanged may have been changed since, so another look is due.
    """

    changes: tuple[Change, ...]
    conflicts: tuple[Change, ...]
    overtaken: bool


class Fence(NamedTuple):
    """A pass's place among the passes of its host: tokens grow, and only the youngest may have applied."""

    host: str
    token: int
    applied: int


def mint(host: str, at: datetime) -> Fence:
    """Return a fence younger than every other of this host, and note the attempt."""
    with transaction.atomic():
        # the update locks the row, so the values read back are this pass's own
        Host.objects.filter(name=host).update(fence_minted=F("fence_minted") + 1, last_attempt_at=at)
        return Fence(host, *Host.objects.values_list("fence_minted", "fence_applied").get(name=host))


def rows_on(host: str) -> list[Row]:
    """Return the host's rows; to be called before its daemon is asked (I2)."""
    return [Row(*values) for values in Container.objects.on(host).order_by().values_list(*ROW_COLUMNS)]


def rows_elsewhere(row_ids: Iterable[str], host: str) -> dict[str, Row]:
    """Return the rows of other hosts that bear one of these ids."""
    ids = list(row_ids)
    if not ids:
        return {}
    found = Container.objects.filter(id__among=ids).exclude(host=host).order_by().values_list(*ROW_COLUMNS)
    return {values[0]: Row(*values) for values in found}


def catalogue(needs: Needs) -> Catalogue:
    """Return the joins for the names a listing uses, and no others."""
    kinds = _pairs(Workload.objects.filter(id__among=needs.workload_ids), "id", "kind", if_any=needs.workload_ids)
    stacks = _pairs(
        Stack.objects.filter(compose_project_name__among=needs.compose_projects),
        "compose_project_name",
        "id",
        if_any=needs.compose_projects,
    )
    instances: dict[str, InstanceFacts] = {}
    if needs.instance_ids:
        named = Instance.objects.filter(id__among=needs.instance_ids).order_by()
        columns = ("id", "project_id", "port", *COPIED_COLUMNS)
        instances = {values[0]: InstanceFacts(*values[1:]) for values in named.values_list(*columns)}
    refs: dict[str, Collection[str]] = {
        PROJECT: {instance.project_id for instance in instances.values()},
        SITE: needs.site_ids,
        STACK: stacks.values(),
    }
    workloads = {
        (kind, ref_id): workload_id
        for kind, ref_ids in refs.items()
        for ref_id, workload_id in _pairs(
            Workload.objects.filter(kind=kind, ref_id__among=ref_ids), "ref_id", "id", if_any=ref_ids
        ).items()
    }
    return Catalogue(workload_kinds=kinds, workloads=workloads, instances=instances, stacks=stacks)


def _pairs(found: QuerySet[Any], key: str, value: str, *, if_any: Collection[str]) -> dict[str, str]:
    """Return two columns as a mapping, without asking if nothing was asked for."""
    return dict(found.order_by().values_list(key, value)) if if_any else {}


def apply(plan: Plan, fence: Fence, *, seen_at: datetime, now: datetime, refresh_after: timedelta) -> Applied | None:
    """Carry a plan out in one transaction; None means that a younger pass has applied, and nothing was changed.

    `seen_at` is the moment before the listing was asked for, `now` the moment of writing. The
    sightings of unchanged rows are refreshed if the last refresh is older than `refresh_after`.
    """
    with transaction.atomic():
        # proves the fence and locks out other passes of this host until the commit
        success = {"fence_applied": fence.token, "last_success_at": now, "last_error": ""}
        fenced = Host.objects.filter(name=fence.host)
        overtaken = not fenced.filter(fence_applied=fence.applied).update(**success)
        if overtaken and not fenced.filter(fence_applied__lt=fence.token).update(**success):
            return None
        fresh, conflicts = _compare(plan.changes)
        lost = _create(_of(fresh, Kind.CREATE), seen_at)
        _update(_of(fresh, Kind.UPDATE), seen_at)
        _mark_missing(_of(fresh, Kind.MISSING), now)
        _refresh(plan.sighted, fence.host, seen_at, refresh_after)
    return Applied(
        changes=tuple(change for change in fresh if change.after.id not in lost),
        conflicts=(*conflicts, *(change for change in fresh if change.after.id in lost)),
        overtaken=overtaken,
    )


def note_failure(host: str, error: str, at: datetime) -> bool:
    """Record a host's failure; return whether it is news, not the same error as before."""
    failing = Host.objects.filter(name=host)
    is_news = failing.exclude(last_error=error).update(last_error=error, last_error_at=at) == 1
    return is_news or not failing.update(last_error_at=at)


def note_watchers_alive(hosts: Collection[str], at: datetime) -> None:
    """Record that these hosts' events are being followed still."""
    if hosts:
        Host.objects.filter(name__among=hosts).update(watcher_alive_at=at)


def note_watch(host: str, *, since: datetime | None, events: int, asks: int, at: datetime) -> None:
    """Record since when a host is watched (None: it is not), and what its watcher has seen and asked since last."""
    Host.objects.filter(name=host).update(
        watching_since=since,
        watcher_alive_at=at,
        events_seen=F("events_seen") + events,
        passes_asked=F("passes_asked") + asks,
    )


def note_not_watched(hosts: Collection[str]) -> None:
    """Record that these hosts' events are followed no more."""
    if hosts:
        Host.objects.filter(name__among=hosts).update(watching_since=None)


def note_drift(host: str, count: int, at: datetime) -> None:
    """Count changes that a tick found and no event had announced."""
    Host.objects.filter(name=host).update(drift_found=F("drift_found") + count, drift_found_at=at)


def _compare(changes: Sequence[Change]) -> tuple[list[Change], list[Change]]:
    """Lock the rows of a plan and split it into changes still valid and conflicts (I5)."""
    if not changes:
        return [], []
    rows = Container.objects.select_for_update().filter(id__among=[change.after.id for change in changes])
    columns = ("id", "host_id", "container_id", "state")
    locked = {row_id: seen for row_id, *seen in rows.order_by("id").values_list(*columns)}
    fresh: list[Change] = []
    conflicts: list[Change] = []
    for change in changes:
        expected = change.before and [change.before.host, change.before.container_id, change.before.state]
        (fresh if locked.get(change.after.id) == expected else conflicts).append(change)
    return fresh, conflicts


def _create(changes: Sequence[Change], seen_at: datetime) -> frozenset[str]:
    """Insert rows; return the ids of those that somebody else inserted in the meantime."""
    if not changes:
        return frozenset()
    Container.objects.bulk_create([_container(change.after, seen_at) for change in changes], ignore_conflicts=True)
    ids = [change.after.id for change in changes]
    made = Container.objects.filter(id__among=ids, last_seen_at=seen_at).values_list("id", flat=True)
    return frozenset(ids).difference(made)


def _update(changes: Sequence[Change], seen_at: datetime) -> None:
    """Write the observed columns, and the deployer's only where they were copied from an instance (I9)."""
    for copies, columns in ((False, OBSERVED_COLUMNS), (True, OBSERVED_COLUMNS + COPIED_COLUMNS)):
        containers = [_container(change.after, seen_at) for change in changes if change.copies is copies]
        if containers:
            # the rows are locked and known to exist: this upsert only ever updates, a value per row
            Container.objects.bulk_create(
                containers,
                update_conflicts=True,
                unique_fields=["id"],
                update_fields=[*columns, "last_seen_at", "updated_at"],
            )


def _mark_missing(changes: Sequence[Change], now: datetime) -> None:
    if changes:
        rows = Container.objects.filter(id__among=[change.after.id for change in changes])
        rows.update(state=MISSING, updated_at=now)


def _refresh(sighted: Sequence[str], host: str, seen_at: datetime, refresh_after: timedelta) -> None:
    """Move last_seen_at of the sighted rows on, at most once per `refresh_after` (I11).

    By container id, not by row id: a row that was bound to another container meanwhile was not seen.
    """
    due = Host.objects.filter(Q(sightings_at=None) | Q(sightings_at__lte=seen_at - refresh_after), name=host)
    if due.update(sightings_at=seen_at):
        Container.objects.on(host).filter(container_id__among=sighted).update(last_seen_at=seen_at)


def _container(row: Row, seen_at: datetime) -> Container:
    return Container(last_seen_at=seen_at, **dict(zip(ROW_COLUMNS, astuple(row), strict=True)))


def _of(changes: Iterable[Change], kind: Kind) -> list[Change]:
    return [change for change in changes if change.kind is kind]
