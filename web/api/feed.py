"""The feed as the API tells it: what has changed after a cursor, with the rows as they are now."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.utils import timezone

from reconciler.api import BadCursor, CursorTooOld
from reconciler.models import ChangeKind, Feed, Transition
from web.api import types
from web.api.alert_types import Incident
from web.api.change_types import Change, ChangePage
from web.api.columns import PENDING
from web.api.containers import containers_now
from web.api.deployments import deployments_now
from web.api.incidents import incidents_now
from web.api.types import moment
from web.problems import Problem, Refused


def page_after(feed: Feed, cursor: str, limit: int) -> ChangePage:
    """Return the first changes after a cursor. Raises Refused."""
    try:
        found = feed.changes_after(cursor, limit + 1)
    except BadCursor as error:
        raise Refused(Problem.BAD_REQUEST, str(error)) from error
    except CursorTooOld as error:
        raise Refused(Problem.CURSOR_TOO_OLD, str(error)) from error
    at, told = timezone.now(), found[:limit]
    now = _now(told, at)
    items = [_served(feed, entry, now) for entry in told]
    last = items[-1].cursor if items else cursor
    return ChangePage(items, next=last if len(found) > limit else None, as_of=moment(at), cursor=last)


class _Now(NamedTuple):
    """What entries tell of, as it is now."""

    containers: dict[str, types.Container]
    deployments: dict[tuple[str, str], types.Deployment]
    incidents: dict[int, Incident]


def _now(told: Sequence[Transition], at: datetime) -> _Now:
    targets = {_target(entry) for entry in told if entry.kind == ChangeKind.DEPLOYMENT}
    incidents = {entry.incident_id for entry in told if entry.incident_id is not None}
    return _Now(
        containers=containers_now(sorted({str(entry.row_id) for entry in told if entry.row_id}), at),
        deployments=deployments_now(targets) if targets else {},
        incidents=incidents_now(incidents) if incidents else {},
    )


def _target(entry: Transition) -> tuple[str, str]:
    """Return what an entry's deployment is of: a workload (first) or a row (second)."""
    return ("", entry.row_id) if entry.row_id else (entry.workload_id, "")


def _served(feed: Feed, entry: Transition, now: _Now) -> Change:
    return Change(
        cursor=feed.cursor(entry.pk),
        kind=entry.kind,  # type: ignore[arg-type]
        at=moment(entry.at),
        host=str(entry.host_id),
        row=str(entry.row_id),
        workload=entry.workload_id,
        from_state=entry.from_state or None,
        to_state=entry.to_state or PENDING,
        from_health=entry.from_health,
        to_health=entry.to_health,
        container_id=entry.container_id,
        cause=entry.cause,
        trigger=entry.trigger,
        exit_code=entry.exit_code,
        oom_killed=entry.oom_killed,
        restarts=entry.restarts,
        container=now.containers.get(str(entry.row_id)),
        deployment=now.deployments.get(_target(entry)) if entry.kind == ChangeKind.DEPLOYMENT else None,
        incident=now.incidents.get(entry.incident_id or 0),
    )
