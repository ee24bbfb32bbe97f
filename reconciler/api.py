"""The public Python interface: what other apps, deployers and proxies may import, besides `models` and `signals`.

Nothing outside this app imports `reconciler.lock`, `reconciler.tasks` or what lies below them.

What deployers do tells the feed in the same transaction. It is refused within a transaction of theirs (RuntimeError),
because every pass would have to wait for its end. Who uses `tell_feed` ends his transaction at once for that reason.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from reconciler import feed, leases, placing, store, tasks
from reconciler.core.placeholder import Placeholder
from reconciler.core.report import Trigger
from reconciler.counting import count_after_mass
from reconciler.exceptions import (
    BadCursor,
    BadValue,
    CannotAsk,
    Conflict,
    CursorTooOld,
    LockUnavailable,
    UnknownHost,
    UnknownRow,
    UnknownWorkload,
)
from reconciler.lock import PassRequest
from reconciler.models import Container, Deployment, Transition

__all__ = [
    "BadCursor",
    "BadValue",
    "CannotAsk",
    "Conflict",
    "CursorTooOld",
    "Placeholder",
    "Trigger",
    "UnknownHost",
    "UnknownRow",
    "UnknownWorkload",
    "begin_deployment",
    "bind",
    "count_after_mass",
    "delete_rows",
    "end_deployment",
    "fail",
    "place",
    "request_pass",
    "tell_feed",
]

USUAL_DEPLOYMENT = timedelta(minutes=10)


def request_pass(host: str, trigger: str = Trigger.MANUAL) -> None:
    """Ask the workers for a pass of a host whose listing begins after this call.

    A host that is off is not looked at. Raises CannotAsk if Redis cannot be reached; the request is lost then, and the
    next tick looks at the host all the same.
    """
    try:
        tasks.ask(host, PassRequest(Trigger(trigger)))
    except (LockUnavailable, OperationalError) as error:
        raise CannotAsk(host, str(error)) from error


def place(row_id: str, placeholder: Placeholder, *, by: str = "") -> Container:
    """Announce a container that a deploy is about to make, and return its row, which is a placeholder now.

    If there is a row that is bound to a container, only the deployer's own columns that are given are written.
    Raises BadValue and UnknownHost; and Conflict if a bound row is for something else than the placeholder says.
    `by` says who does it, for people to read in the history.
    """
    return placing.place(row_id, placeholder, by, timezone.now())


def bind(row_id: str, container_id: str, *, expected_container_id: str = "", by: str = "") -> Container:
    """Bind a row to a container that was just made, if the row is still bound to the expected one; return the row.

    No expected container means a placeholder. Raises BadValue and UnknownRow; and Conflict if somebody else was
    faster. It is no conflict if the row is bound to this very container already.
    """
    return placing.bind(row_id, container_id, expected_container_id, by, timezone.now())


def fail(row_id: str, *, expected_container_id: str = "", cause: str = "the deploy failed", by: str = "") -> Container:
    """Say that a deploy failed, if its row is still bound to the expected container; return the row.

    The state `failed` stays until a listing holds the row's container. Raises BadValue and UnknownRow; and Conflict
    if somebody else was faster.
    """
    return placing.fail(row_id, expected_container_id, cause, by, timezone.now())


def delete_rows(row_ids: Iterable[str], cause: str) -> int:
    """Delete rows that nobody wants any more, and end their history; return how many there were.

    `cause` is for people to read. A row whose container is still there comes back with the next pass.
    """
    with transaction.atomic(durable=True):
        rows = Container.objects.select_for_update().filter(id__among=list(row_ids))
        return store.end_rows(rows.order_by("id"), cause, timezone.now())


def begin_deployment(
    *, workload: str = "", row: str = "", lasts: timedelta = USUAL_DEPLOYMENT, by: str = ""
) -> Deployment:
    """Say that a workload, or a single row, is being deployed; if that is known already, let it end later.

    It ends by itself after `lasts`, which is 30 minutes at most. Raises BadValue, UnknownWorkload or UnknownRow;
    and Conflict if somebody ends it at this very moment.
    """
    return leases.begin(leases.Target(workload, row), lasts, by, timezone.now())


def end_deployment(*, workload: str = "", row: str = "", by: str = "") -> Deployment | None:
    """Say that a deploy is over; None if it has ended by itself, or was never begun."""
    return leases.end(leases.Target(workload, row), by, timezone.now())


def tell_feed(entries: Sequence[Transition]) -> None:
    """Write what another app tells into the feed, as the last act of the caller's transaction.

    Until its commit nobody else can write into the feed, and no pass can end. So the caller takes all its other locks
    before this call, and does nothing after it. That is why readers get these entries in the order of commits (I16).
    """
    feed.append(entries)
