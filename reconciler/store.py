"""I/O: reads rows and the catalogue, and reads and writes the notes on hosts, in few queries (I11)."""

import logging
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any, NamedTuple, TypeVar

import msgspec
from django.db import connection, transaction
from django.db.models import Case, F, Q, QuerySet, When
from django.db.models.functions import Now

from reconciler import feed
from reconciler.core.contests import RowElsewhere
from reconciler.core.dispatch import LookupKeys, Row
from reconciler.core.identities import PROJECT, SITE, STACK, Catalogue, InstanceFacts
from reconciler.core.inspects import HostRows
from reconciler.core.last_inspect import DetailsState, LastInspect
from reconciler.core.safeguard import Held, Memory, Swept
from reconciler.exceptions import UnknownHost
from reconciler.models import Container, Host, Instance, Stack, State, Transition, Workload

logger = logging.getLogger(__name__)
T = TypeVar("T")
ROW_COLUMNS = tuple("host_id" if name == "host" else name for name in Row.__struct_fields__)
COPIED_COLUMNS = ("image_tag", "subdomain", "proxy_route_id", "npm_proxy_id")
DETAIL_COLUMNS = LastInspect.__struct_fields__


class HostRecord(NamedTuple):
    """What earlier passes have left on a host's row; `read_at` is when it was read, by the database's clock.

    `engine_id` is None if the Engine has not said yet who it is, and empty if it has no lasting name.
    `condition_told` is what the feed has told last of the host's condition.
    """

    read_at: datetime
    failures: int
    last_success_at: datetime | None
    condition_told: str
    engine_id: str | None
    memory: Memory


class Fence(NamedTuple):
    """A pass's place among the passes of its host. Tokens grow; a pass that was overtaken may not apply any more."""

    host: str
    token: int
    applied: int
    record: HostRecord


def next_fence(host: str, at: datetime) -> Fence:
    """Return a fence that is younger than all others of this host, with what earlier passes left; note the attempt.

    Raises UnknownHost if the host was removed.
    """
    with transaction.atomic():
        # the update locks the row, so the values that are read back belong to this pass
        Host.objects.filter(name=host).update(fence_minted=F("fence_minted") + 1, last_attempt_at=at)
        read_at, token, applied, *left = _read(host, "fence_minted", "fence_applied", *_LEFT)
    return Fence(host, token, applied, _host_record(host, read_at, *left))


def host_record(host: str) -> HostRecord:
    """Return what earlier passes have left, without making a fence. Raises UnknownHost."""
    return _host_record(host, *_read(host, *_LEFT))


def database_time(host: str) -> datetime:
    """Return the time by the database's clock, as in `read_at`. Raises UnknownHost."""
    return _read(host)[0]  # type: ignore[no-any-return]


_LEFT = ("failures", "last_success_at", "condition_told", "engine_id", "held", "swept", "held_reason")


def _read(host: str, *columns: str) -> tuple[Any, ...]:
    """Return the time by the database's clock and these columns of a host."""
    values: tuple[Any, ...] | None = Host.objects.filter(name=host).values_list(Now(), *columns).first()
    if values is None:
        raise UnknownHost([host], list(Host.objects.values_list("name", flat=True)))
    return values


def _host_record(host: str, read_at: datetime, *columns: Any) -> HostRecord:
    failures, last_success_at, condition_told, engine_id, held, swept, reason = columns
    memory = Memory(
        held=_remembered(host, "held", held, tuple[Held, ...]),
        swept=_remembered(host, "swept", swept, tuple[Swept, ...]),
        reason=reason,
    )
    return HostRecord(read_at, failures, last_success_at, condition_told, engine_id, memory)


def _remembered(host: str, column: str, stored: object, kind: type[T]) -> T:
    """Return what a host's column remembers, or nothing if it holds what no pass has written."""
    try:
        return msgspec.convert(stored, kind)
    except msgspec.ValidationError as error:
        text = "host %s: its column `%s` holds what no pass writes, and is taken as empty until a pass succeeds: %s"
        extra = {"action": "memory_refused", "host": host}
        logger.warning(text, host, column, error, extra=extra)
        return kind()


def memory_columns(memory: Memory) -> dict[str, Any]:
    """Return the columns of a host that hold what is remembered about its last listings."""
    return {
        "held_since": min((held.since for held in memory.held), default=None),
        "held_reason": memory.reason,
        "held": msgspec.to_builtins(memory.held, order="sorted"),
        "swept": msgspec.to_builtins(memory.swept, order="sorted"),
    }


def drop_broken_connection() -> None:
    """Let the next query open a new connection, if the last query failed because the connection is broken."""
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()


def database_now() -> datetime | None:
    """Return the time by the database's clock, or None if there is no host, because then no time matters."""
    now: datetime | None = Host.objects.values_list(Now(), flat=True).first()
    return now


_IS_YOUNG = Q(details_state=DetailsState.YOUNG)
_IS_OWED = _IS_YOUNG | Q(details_state=DetailsState.OWED) | ~Q(details_of=F("container_id"))


def rows_on(host: str) -> HostRows:
    """Return the host's rows, and which of their details are owed. Call this before its daemon is asked (I2)."""
    rows: list[Row] = []
    owed: dict[str, str] = {}
    young: set[str] = set()
    of_owed, state_of_young = Case(When(_IS_OWED, then=F("details_of"))), Case(When(_IS_YOUNG, then=F("details_state")))
    found = Container.objects.on(host).order_by().values_list(*ROW_COLUMNS, of_owed, state_of_young)
    for *columns, details_of, is_young in found:
        row = Row(*columns)
        rows.append(row)
        if details_of is not None:
            owed[row.id] = details_of
        if is_young is not None:
            young.add(row.id)
    return HostRows(rows, owed, young)


def rows_elsewhere(row_ids: Iterable[str], host: str) -> dict[str, RowElsewhere]:
    """Return the rows of other hosts that have one of these ids."""
    ids = list(row_ids)
    if not ids:
        return {}
    found = Container.objects.filter(id__among=ids).exclude(host=host).order_by()
    rows = found.values_list(*ROW_COLUMNS, "host__enabled")
    return {values[0]: RowElsewhere(Row(*values), not enabled) for *values, enabled in rows}


def catalogue(needs: LookupKeys) -> Catalogue:
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
    return Catalogue(workload_kinds=kinds, workloads=_workloads(refs), instances=instances, stacks=stacks)


def _workloads(refs: Mapping[str, Collection[str]]) -> dict[tuple[str, str], str]:
    """Return the ids of workloads, by their kind and by the id of what they stand for."""
    named = [Q(kind=kind, ref_id__among=ref_ids) for kind, ref_ids in refs.items() if ref_ids]
    if not named:
        return {}
    found = Workload.objects.filter(reduce(or_, named)).order_by().values_list("kind", "ref_id", "id")
    return {(kind, ref_id): workload_id for kind, ref_id, workload_id in found}


def _pairs(found: QuerySet[Any], key: str, value: str, *, if_any: Collection[str]) -> dict[str, str]:
    """Return two columns as a mapping, without a query if no names are given."""
    return dict(found.order_by().values_list(key, value)) if if_any else {}


def last_inspects(row_ids: Collection[str]) -> dict[str, LastInspect]:
    """Return by row id what these rows say since the last inspect."""
    if not row_ids:
        return {}
    found = Container.objects.filter(id__among=row_ids).order_by().values_list("id", *DETAIL_COLUMNS)
    return {row_id: LastInspect(*known) for row_id, *known in found}


def end_rows(rows: QuerySet[Container], cause: str, at: datetime) -> int:
    """Delete rows and end their history, in the caller's transaction; `rows` must lock them. Return how many."""
    columns = ("id", "host_id", "workload_id", "container_id", "state", "health")
    ends = [
        Transition(
            row_id=row_id,
            host_id=host,
            workload_id=workload_id,
            container_id=container_id,
            from_state=state,
            to_state=State.GONE,
            from_health=health,
            at=at,
            cause=cause,
        )
        for row_id, host, workload_id, container_id, state, health in rows.values_list(*columns)
    ]
    Container.objects.filter(id__among=[end.row_id for end in ends]).delete()
    feed.append(ends)
    return len(ends)


def note_drift(host: str, count: int, at: datetime) -> None:
    """Count changes that a tick found although no event had announced them."""
    Host.objects.filter(name=host).update(drift_found=F("drift_found") + count, drift_found_at=at)
