"""The public Python interface: what other apps, deployers and proxies may import, besides `models` and `signals`.

Nothing outside this app imports `reconciler.lock`, `reconciler.tasks` or what lies below them.
"""

from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from reconciler import store, tasks
from reconciler.core.report import Trigger
from reconciler.exceptions import BadCursor, CannotAsk, CursorTooOld, LockUnavailable
from reconciler.lock import PassRequest
from reconciler.models import Container

__all__ = ["BadCursor", "CannotAsk", "CursorTooOld", "Trigger", "delete_rows", "request_pass"]


def request_pass(host: str, trigger: str = Trigger.MANUAL) -> None:
    """Ask the workers for a pass of a host whose listing begins after this call.

    A host that is off is not looked at. Raises CannotAsk if Redis cannot be reached; the request is lost then, and the
    next tick looks at the host all the same.
    """
    try:
        tasks.ask(host, PassRequest(Trigger(trigger)))
    except (LockUnavailable, OperationalError) as error:
        raise CannotAsk(host, str(error)) from error


def delete_rows(row_ids: Iterable[str], cause: str) -> int:
    """Delete rows that nobody wants any more, and end their history; return how many there were.

    `cause` is for people to read. A row whose container is still there comes back with the next pass.
    """
    with transaction.atomic():
        rows = Container.objects.select_for_update().filter(id__among=list(row_ids))
        return store.end_rows(rows.order_by("id"), cause, timezone.now())
