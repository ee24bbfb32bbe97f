"""One way to wait in tests: for a fact, with a bound that a busy machine keeps."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest
from django.db import connection

T = TypeVar("T")
WAIT_SECONDS = 120.0
LATE_SECONDS = 20.0
POLL_SECONDS = 0.02


def eventually(
    condition: Callable[[], T | None], *, what: str = "", seconds: float = WAIT_SECONDS, every: float = POLL_SECONDS
) -> T:
    """Wait until a condition holds and return its value; fail with the last value if it never does."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:g} s: {what or condition}; the last answer was {value!r}")
        time.sleep(every)
    return value


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail if the body takes longer, and much longer: by up to LATE_SECONDS only the machine is late."""
    began = time.monotonic()
    yield
    lasted = time.monotonic() - began
    assert lasted < seconds + LATE_SECONDS, f"took {lasted:.1f} s instead of {seconds:g} s"


def somebody_waits(lock: str) -> bool:
    """Tell whether a connection to this database of PostgreSQL waits for a lock of this kind; others are not ours.

    A lock of a transaction names no database, but whoever waits for one holds locks of tables that do.
    """
    own = "SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = database WHERE datname = current_database()"
    with connection.cursor() as cursor:
        waiting = f"SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = %s AND pid IN ({own})"  # noqa: S608
        cursor.execute(waiting, [lock])
        return bool(cursor.fetchone()[0])
