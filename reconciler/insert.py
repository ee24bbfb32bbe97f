"""I/O: inserts rows without waiting for other transactions."""

import time
from collections import deque

from django.db import OperationalError, connection, transaction

from reconciler.models import Container

IN_THE_WAY = ("55P03", "40P01")
"""PostgreSQL's codes for a lock that could not be had in time, and for a deadlock that it has ended."""
FIRST_WAIT_MS, NEXT_WAIT_MS = 50, 1
"""How long an insert waits for another transaction: at first, and when it is known that one is in the way."""
LONGEST_SEARCH_SECONDS = 0.5
"""How long to look for the rows that are in the way. The next pass inserts what is not inserted by then."""


def insert_what_is_free(containers: list[Container]) -> None:
    """Insert rows, except those whose id is taken or has been inserted by a transaction that is still open (I5).

    PostgreSQL waits for such a transaction to end, and does not say for which of the rows it waits. So the
    rows are halved until those in the way are found. The largest groups come first, so that nearly all other
    rows are inserted soon. If no row is in the way, this is a single insert. What the transaction does
    afterwards may wait as long as before.
    """
    if not _insert_without_waiting(containers, FIRST_WAIT_MS):
        _insert_by_halves(containers)
    _wait_at_most("DEFAULT")


def _insert_by_halves(containers: list[Container]) -> None:
    groups = deque(_halves(containers))
    give_up_at = time.monotonic() + LONGEST_SEARCH_SECONDS
    while groups and time.monotonic() < give_up_at:
        group = groups.popleft()
        if not _insert_without_waiting(group, NEXT_WAIT_MS):
            groups += _halves(group)


def _halves(containers: list[Container]) -> list[list[Container]]:
    middle = len(containers) // 2
    return [containers[:middle], containers[middle:]] if middle else []


def _insert_without_waiting(containers: list[Container], wait_ms: int) -> bool:
    """Insert all rows, or none of them if that would mean waiting for longer; return whether it was done."""
    try:
        with transaction.atomic():
            _wait_at_most(str(wait_ms))
            Container.objects.bulk_create(containers, ignore_conflicts=True)
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") not in IN_THE_WAY:
            raise
        return False
    return True


def _wait_at_most(milliseconds: str) -> None:
    """Set for how long this transaction may wait for a lock; SQLite has no locks of rows."""
    if connection.features.has_select_for_update_skip_locked:
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = {milliseconds}")
