"""What a host remembers of a pass that failed, and who may take that back."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from reconciler.core.report import Report, Trigger
from reconciler.models import Container, Host
from reconciler.reconcile import reconcile
from tests.builders import FakeEngine, container, workload

pytestmark = pytest.mark.django_db

WEB = container("web", workload("shop", role="web"))
STOPPED = container("web", workload("shop", role="web"), state="stopped")
WORDS = "disk full\nDETAIL: nobody's business"


@contextmanager
def database_failing_at(beginning: str) -> Iterator[None]:
    """Let the database fail at every statement that begins so."""

    def fail(execute: Any, sql: str, *more: Any) -> Any:
        if sql.startswith(beginning):
            raise OperationalError(WORDS)
        return execute(sql, *more)

    with connection.execute_wrapper(fail):
        yield


def look(host: Host, engine: FakeEngine) -> Report:
    return reconcile(host, engine, trigger=Trigger.TICK)


def noted() -> tuple[str, int, bool]:
    """Return the error that host local shows, how many failures, and whether ticks leave it alone."""
    host = Host.objects.get(name="local")
    return host.last_error, host.failures, not Host.objects.due(timezone.now()).exists()


def effective_state() -> str:
    return str(Container.objects.with_effective_state().get().effective_state)  # type: ignore[attr-defined]


def test_a_pass_that_the_database_failed_is_noted_on_its_host(local: Host) -> None:
    """I5, I17: and so its rows are unknown."""
    look(local, FakeEngine([WEB]))
    with database_failing_at('INSERT INTO "reconciler_transition"'):
        report = look(local, FakeEngine([STOPPED]))
    words = "was not brought up to date: the index's database failed (disk full)"
    assert (report.outcome, report.error) == ("failed", f"host local {words}")
    assert noted() == (words, 1, True)
    assert (Container.objects.get().state, effective_state()) == ("running", "unknown")


def test_what_the_database_failed_the_next_pass_makes_good(local: Host) -> None:
    """I5."""
    with database_failing_at('INSERT INTO "reconciler_container"'):
        look(local, FakeEngine([WEB]))
    look(local, FakeEngine([WEB]))
    assert (noted(), effective_state()) == (("", 0, False), "running")


@pytest.mark.skipif("postgresql" not in connection.vendor, reason="SQLite has no connection that could break")
@pytest.mark.django_db(transaction=True)
def test_a_pass_whose_connection_breaks_is_noted_over_a_new_one(local: Host) -> None:
    """I5."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (process,) = cursor.fetchone()

    def end_connection() -> None:
        try:
            with connection.cursor() as other:
                other.execute("SELECT pg_terminate_backend(%s, 10000)", [process])
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        report = look(local, FakeEngine([WEB], meanwhile=lambda: pool.submit(end_connection).result()))
    assert (report.outcome, noted()[1:]) == ("failed", (1, True))
    assert look(local, FakeEngine([WEB])).outcome == "applied"


def test_a_failure_that_the_database_cannot_even_note_harms_nobody(local: Host) -> None:
    with database_failing_at('UPDATE "reconciler_host"'):
        assert look(local, FakeEngine([WEB])).outcome == "failed"
    assert look(local, FakeEngine([WEB])).outcome == "applied"


def test_the_failure_of_a_younger_pass_stands_when_an_older_one_succeeds(local: Host) -> None:
    """I6, I17: what was seen before the host failed is written, but the host is not known to answer."""
    look(local, FakeEngine([WEB]))
    dead = FakeEngine(failure="cannot be reached")
    older = look(local, FakeEngine([STOPPED], meanwhile=lambda: look(local, dead)))
    assert (older.outcome, Container.objects.get().state) == ("applied", "stopped")
    assert (noted(), effective_state()) == (("cannot be reached", 1, True), "unknown")


def test_a_success_that_began_after_a_failure_clears_it(local: Host) -> None:
    """I6."""
    look(local, FakeEngine(failure="cannot be reached"))
    look(local, FakeEngine([WEB]))
    assert (noted(), effective_state()) == (("", 0, False), "running")


def test_the_failure_of_an_older_pass_is_no_news_after_that_of_a_younger_one(local: Host) -> None:
    """I6."""
    younger = FakeEngine(failure="cannot be reached")
    look(local, FakeEngine(failure="sent nothing for 10 s", meanwhile=lambda: look(local, younger)))
    assert noted() == ("cannot be reached", 1, True)
    look(local, FakeEngine(failure="sent nothing for 10 s"))
    assert noted() == ("sent nothing for 10 s", 2, True)
