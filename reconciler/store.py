"""I/O: reads rows and the catalogue, and reads and writes the notes on hosts, in few queries (I11)."""

import logging
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import msgspec
from django.db import connection
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from reconciler import feed
from reconciler.core.contests import RowElsewhere
from reconciler.core.dispatch import Row
from reconciler.core.inspects import HostRows
from reconciler.core.last_inspect import DetailsState, LastInspect
from reconciler.core.safeguard import Held, Memory, Swept
from reconciler.exceptions import UnknownHost
from reconciler.json_rows import json_array_sql, json_rows_sql
from reconciler.models import Container, Host, State, Transition
from reconciler.returning import adapted, update_host

logger = logging.getLogger(__name__)
T = TypeVar("T")
ROW_COLUMNS = tuple("host_id" if name == "host" else name for name in Row.__struct_fields__)
COPIED_COLUMNS = ("image_tag", "subdomain", "proxy_route_id", "npm_proxy_id")
DETAIL_COLUMNS = LastInspect.__struct_fields__


class HostRecord(NamedTuple):
    """What earlier passes have left on a host's row; `read_at` is when it was read, by the database's clock.

    `engine_id` is None if the Engine has not said yet who it is, and empty if it has no lasting name.
    `condition_told` is what the feed has told last of the host's condition, and `sightings_at` when last_seen_at of
    its unchanged rows was last refreshed.
    """

    read_at: datetime
    failures: int
    last_success_at: datetime | None
    condition_told: str
    sightings_at: datetime | None
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
    minted = "fence_minted = fence_minted + 1, last_attempt_at = %s"
    left = update_host(host, minted, [adapted(at)], ("fence_minted", "fence_applied", *_LEFT))
    if left is None:
        raise UnknownHost([host], list(Host.objects.values_list("name", flat=True)))
    read_at, token, applied, *known = left
    return Fence(host, token, applied, _host_record(host, read_at, *known))


def host_record(host: str) -> HostRecord:
    """Return what earlier passes have left, without making a fence. Raises UnknownHost."""
    return _host_record(host, *_read(host, *_LEFT))


def database_time(host: str) -> datetime:
    """Return the time by the database's clock, as in `read_at`. Raises UnknownHost."""
    return _read(host)[0]  # type: ignore[no-any-return]


_LEFT = ("failures", "last_success_at", "condition_told", "sightings_at", "engine_id", "held", "swept", "held_reason")


def _read(host: str, *columns: str) -> tuple[Any, ...]:
    """Return the time by the database's clock and these columns of a host."""
    values: tuple[Any, ...] | None = Host.objects.filter(name=host).values_list(Now(), *columns).first()
    if values is None:
        raise UnknownHost([host], list(Host.objects.values_list("name", flat=True)))
    return values


def _host_record(host: str, read_at: datetime, *columns: Any) -> HostRecord:
    failures, success, told, sightings, engine_id, held, swept, reason = columns
    memory = Memory(
        held=_remembered(host, "held", held, tuple[Held, ...]),
        swept=_remembered(host, "swept", swept, tuple[Swept, ...]),
        reason=reason,
    )
    return HostRecord(read_at, failures, success, told, sightings, engine_id, memory)


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


_TABLE = Container._meta.db_table
_IS_OWED = f"details_state IN ('{DetailsState.YOUNG}', '{DetailsState.OWED}') OR details_of <> container_id"
_OWED = f"CASE WHEN {_IS_OWED} THEN details_of END"
_YOUNG = f"CASE WHEN details_state = '{DetailsState.YOUNG}' THEN details_state END"
_FROM = f"FROM {_TABLE} WHERE host_id = %s"


class _StoredRow(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A row; `owed` is the container that its details describe if they are owed, `young` is null if they are not."""

    row: Row
    owed: str | None
    young: str | None


_stored_rows = msgspec.json.Decoder(list[_StoredRow])


def rows_on(host: str) -> HostRows:
    """Return the host's rows, and which of their details are owed. Call this before its daemon is asked (I2)."""
    stored = _stored_on(host)
    owed = {each.row.id: each for each in stored if each.owed is not None}
    return HostRows(
        rows={each.row.id: each.row for each in stored},
        owed={row_id: each.owed or "" for row_id, each in owed.items()},
        young={row_id for row_id, each in owed.items() if each.young is not None},
    )


def _stored_on(host: str) -> list[_StoredRow]:
    """Read a host's rows: from SQLite as JSON, because it takes three times as long to tell column after column."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            stored = json_rows_sql([json_array_sql(ROW_COLUMNS, "sqlite"), _OWED, _YOUNG], "sqlite")
            cursor.execute(" ".join(["SELECT", stored, _FROM]), [host])
            return _stored_rows.decode(cursor.fetchall()[0][0])
        cursor.execute(" ".join(["SELECT", ", ".join([*ROW_COLUMNS, _OWED, _YOUNG]), _FROM]), [host])
        return [_StoredRow(Row(*columns), owed, young) for *columns, owed, young in cursor.fetchall()]


def rows_elsewhere(row_ids: Iterable[str], host: str) -> dict[str, RowElsewhere]:
    """Return the rows of other hosts that have one of these ids."""
    ids = list(row_ids)
    if not ids:
        return {}
    found = Container.objects.filter(id__among=ids).exclude(host=host).order_by()
    rows = found.values_list(*ROW_COLUMNS, "host__enabled")
    return {values[0]: RowElsewhere(Row(*values), not enabled) for *values, enabled in rows}


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
