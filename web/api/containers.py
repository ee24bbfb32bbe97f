"""The containers of the index: lists of them, and one."""

from collections.abc import Collection, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from django.conf import settings
from django.db.models import BooleanField, ExpressionWrapper, QuerySet
from msgspec import UNSET, UnsetType

from reconciler.models import Container, Feed, Trouble, newest_position
from reconciler.models.container import ContainerQuerySet
from reconciler.models.trouble import orphan_condition
from web.api import types
from web.api.columns import AsText, state_text, stored_states
from web.api.endpoint import Call, Endpoint
from web.api.pages import PageQuery, cut, part_of
from web.api.reading import Texts
from web.api.types import moment
from web.api.uptimes import uptimes_of_container
from web.problems import Problem, Refused

_MOMENTS = ("unknown_since", "started_at", "finished_at", "last_seen_at", "created_at", "updated_at")
_STATES = ("state", "effective_state")
_MADE = {name: AsText(name) for name in _MOMENTS} | {name: state_text(name) for name in _STATES}
_COLUMNS = [_MADE.get(name, name) for name in types.Container.__struct_fields__ if name != "restart_loop"]


class ContainerQuery(PageQuery, forbid_unknown_fields=True, kw_only=True):
    """Which containers are wanted."""

    host: Texts = ()
    workload: Texts = ()
    kind: Texts = ()
    role: Texts = ()
    state: Texts = ()
    effective_state: Texts = ()
    trouble: Trouble | UnsetType = UNSET


def list_containers(call: Call[ContainerQuery]) -> types.ContainerPage:
    """Return a page of containers."""
    rows = _rows(call.at).filter(**_conditions(call.query))
    if call.query.trouble is not UNSET:
        rows = rows.in_trouble(call.query.trouble, call.at)
    found, cursor = _read_with_cursor(part_of(rows, call.query))
    items, after = cut(found, call.query.limit, attrgetter("id"))
    return types.ContainerPage(items=items, next=after, as_of=moment(call.at), cursor=cursor)


def get_container(call: Call[Any]) -> types.ContainerAnswer:
    """Return one container. Raises Refused."""
    found, cursor = _read_with_cursor(_rows(call.at).filter(id=call.key))
    if not found:
        raise Refused(Problem.NOT_FOUND, f"there is no container {call.key!r}")
    uptime = uptimes_of_container(call.key, call.at)
    return types.ContainerAnswer(item=found[0], uptime=uptime, as_of=moment(call.at), cursor=cursor)


def containers_of(workload: str, at: datetime) -> tuple[Sequence[types.Container], str | None]:
    """Return the first containers of a workload, and after which id the others come; None if these are all."""
    rows = part_of(_rows(at).filter(workload=workload), PageQuery(limit=types.MOST_ITEMS))
    return cut([_made(row) for row in rows.values_list(*_COLUMNS)], types.MOST_ITEMS, attrgetter("id"))


def containers_now(row_ids: Collection[str], at: datetime) -> dict[str, types.Container]:
    """Return those of these containers that there are, by id."""
    return {row[0]: _made(row) for row in _rows(at).filter(id__in=row_ids).values_list(*_COLUMNS)}


def _rows(at: datetime) -> ContainerQuerySet:
    is_orphan = ExpressionWrapper(orphan_condition(), output_field=BooleanField())
    return Container.objects.with_effective_state(at).with_restarts(at).annotate(orphan=is_orphan)


def _read_with_cursor(rows: "QuerySet[Container]") -> tuple[list[types.Container], str]:
    """Return containers and the place in the feed that they are from: one statement sees both."""
    feed = Feed.of_this_database()
    columns = (*_COLUMNS, newest_position())
    found = list(rows.values_list(*columns))
    if found:
        return [_made(row[:-1]) for row in found], feed.cursor(found[0][-1])
    # no row tells the place, so it is read before them: what is written in between is told twice, and not missed
    cursor = feed.newest()
    return [_made(row) for row in rows.values_list(*_COLUMNS)], cursor


def _made(row: tuple[Any, ...]) -> types.Container:
    return types.Container(*(*row, row[-1] >= settings.RESTART_LOOP_COUNT))


def _conditions(query: ContainerQuery) -> dict[str, object]:
    wanted = {
        "host": query.host,
        "workload": query.workload,
        "workload_kind": query.kind,
        "role": query.role,
        "state": stored_states(query.state),
        "effective_state": stored_states(query.effective_state),
    }
    return {f"{column}__in": values for column, values in wanted.items() if values}


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="containers",
        handler=list_containers,
        summary="List containers",
        query=ContainerQuery,
        answer=types.ContainerPage,
    ),
    Endpoint(
        method="GET",
        path="containers/{id}",
        handler=get_container,
        summary="One container",
        answer=types.ContainerAnswer,
    ),
)
