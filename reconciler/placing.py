"""I/O: what deployers do with rows: announce one, bind it to its container, say that the deploy failed."""

from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from reconciler import feed
from reconciler.core.causes import by_whom, differences, short
from reconciler.core.dispatch import Row
from reconciler.core.placeholder import Placeholder, check_container_id, check_placeholder, check_text
from reconciler.exceptions import Conflict, UnknownHost, UnknownRow
from reconciler.models import Container, Host, State, Transition
from reconciler.store import COPIED_COLUMNS, ROW_COLUMNS

MAX_CAUSE_CHARS = 255
NOTHING_KNOWN: dict[str, Any] = {"health": "", "label_path": ""} | dict.fromkeys(
    ("exit_code", "oom_killed", "restart_count", "started_at", "finished_at")
)
"""What a row says of a container at which no pass has looked: nothing of the container that it had before."""


def place(row_id: str, placeholder: Placeholder, by: str, at: datetime) -> Container:
    """Make a placeholder, or make one of a row that is bound to nothing. A bound row gets its own columns only.

    Raises BadValue and UnknownHost; and Conflict if the row is bound, and is not what the placeholder says, or if it
    is deleted at this very moment.
    """
    check_placeholder(row_id, placeholder)
    given = placeholder.given()
    if not Host.objects.filter(name=placeholder.host).exists():
        raise UnknownHost([placeholder.host], list(Host.objects.values_list("name", flat=True)))
    try:
        with transaction.atomic(durable=True):
            row, is_new = Container.objects.get_or_create(id=row_id, defaults=given)
            if is_new:
                feed.append([_entry(None, row, f"a deploy was announced{by_whom(by)}", at)])
                return row
            return _place_anew(_locked(row_id), given, by, at)
    except IntegrityError as error:
        raise Conflict(f"host {placeholder.host} was removed at this moment; row {row_id!r} was not made") from error
    except UnknownRow as error:
        raise Conflict(f"row {row_id!r} was deleted at this moment: announce it again") from error


def _place_anew(row: Container, given: dict[str, Any], by: str, at: datetime) -> Container:
    """Let a row that there is be as a placeholder says."""
    if not row.container_id:
        return _change(row, given | {"state": State.PENDING}, f"a deploy was announced{by_whom(by)}", at)
    described = {name: value for name, value in given.items() if name not in COPIED_COLUMNS}
    if others := [name for name, value in described.items() if getattr(row, name) != value]:
        names = ", ".join(f"{name.removesuffix('_id')} {getattr(row, name)!r}" for name in others)
        raise Conflict(f"row {row.id!r} is bound to container {short(row.container_id)}, with {names}")
    own = {name: value for name, value in given.items() if name in COPIED_COLUMNS}
    return _change(row, own, f"changed{by_whom(by)}", at)


def bind(row_id: str, container_id: str, expected_container_id: str, by: str, at: datetime) -> Container:
    """Bind a row to a container, if it still is bound to the expected one; if it has that container already, well.

    Raises BadValue and UnknownRow; and Conflict if the row is bound to another container.
    """
    check_container_id(container_id)
    with transaction.atomic(durable=True):
        row = _locked(row_id)
        if row.container_id == container_id:
            return row
        _expect(row, expected_container_id)
        bound = {"container_id": container_id, "state": State.CREATED, **NOTHING_KNOWN}
        return _change(row, bound, f"bound{by_whom(by)}", at)


def fail(row_id: str, expected_container_id: str, cause: str, by: str, at: datetime) -> Container:
    """Say that a deploy has failed, if its row still is bound to the expected container.

    Raises BadValue and UnknownRow; and Conflict if the row is bound to another container.
    """
    check_text("the cause", cause, MAX_CAUSE_CHARS)
    with transaction.atomic(durable=True):
        row = _locked(row_id)
        _expect(row, expected_container_id)
        return _change(row, {"state": State.FAILED}, f"{cause}, as told{by_whom(by)}", at)


def _locked(row_id: str) -> Container:
    row = Container.objects.select_for_update(no_key=True).filter(id=row_id).first()
    if row is None:
        raise UnknownRow(row_id)
    return row


def _expect(row: Container, container_id: str) -> None:
    """Raise Conflict unless a row is bound to this container; an empty id stands for none."""
    if row.container_id != container_id:
        found, expected = _shown(row.container_id), _shown(container_id)
        raise Conflict(f"row {row.id!r} is bound to {found}, and not to {expected}: somebody was faster; read it again")


def _shown(container_id: str) -> str:
    return f"container {short(container_id)}" if container_id else "no container"


def _change(row: Container, changes: dict[str, Any], cause: str, at: datetime) -> Container:
    """Write what changes of a locked row, and tell the feed; if nothing does, neither."""
    before = _as_row(row)
    for name, value in changes.items():
        setattr(row, name, value)
    after = _as_row(row)
    if after != before:
        row.save(update_fields=[*changes, "updated_at"])
        feed.append([_entry(before, row, f"{cause}: {differences(before, after)}", at)])
    return row


def _as_row(row: Container) -> Row:
    return Row(*(getattr(row, name) for name in ROW_COLUMNS))


def _entry(before: Row | None, row: Container, cause: str, at: datetime) -> Transition:
    """Return what the feed is told."""
    return Transition(
        row_id=row.id,
        host_id=str(row.host_id),
        workload_id=row.workload_id,
        container_id=row.container_id or (before.container_id if before else ""),
        is_step=before is None or (before.container_id, before.state) != (row.container_id, row.state),
        from_state=before.state if before else "",
        to_state=row.state,
        from_health=before.health if before else "",
        to_health=row.health,
        at=at,
        cause=cause,
    )
