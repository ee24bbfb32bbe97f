"""The feed as the API tells it: what has changed after a cursor, with the rows as they are now."""

from django.utils import timezone

from reconciler.api import BadCursor, CursorTooOld
from reconciler.models import ChangeKind, Feed, Transition
from web.api import types
from web.api.columns import PENDING
from web.api.containers import containers_now
from web.api.deployments import deployments_now
from web.api.types import moment
from web.problems import Problem, Refused


def page_after(feed: Feed, cursor: str, limit: int) -> types.ChangePage:
    """Return the first changes after a cursor. Raises Refused."""
    try:
        found = feed.changes_after(cursor, limit + 1)
    except BadCursor as error:
        raise Refused(Problem.BAD_REQUEST, str(error)) from error
    except CursorTooOld as error:
        raise Refused(Problem.CURSOR_TOO_OLD, str(error)) from error
    at, told = timezone.now(), found[:limit]
    rows = containers_now(sorted({str(entry.row_id) for entry in told if entry.row_id}), at)
    targets = {_target(entry) for entry in told if entry.kind == ChangeKind.DEPLOYMENT}
    deployments = deployments_now(targets) if targets else {}
    items = [_served(feed, entry, rows.get(str(entry.row_id)), deployments.get(_target(entry))) for entry in told]
    last = items[-1].cursor if items else cursor
    return types.ChangePage(items, next=last if len(found) > limit else None, as_of=moment(at), cursor=last)


def _target(entry: Transition) -> tuple[str, str]:
    """Return what an entry's deployment is of: a workload (first) or a row (second)."""
    return ("", entry.row_id) if entry.row_id else (entry.workload_id, "")


def _served(
    feed: Feed, entry: Transition, container: types.Container | None, deployment: types.Deployment | None
) -> types.Change:
    return types.Change(
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
        container=container,
        deployment=deployment if entry.kind == ChangeKind.DEPLOYMENT else None,
    )
