"""I5: no pass waits for a deployer's transaction that is still open; what the deployer holds is a conflict."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from reconciler import apply, insert
from reconciler.core.observation import Observation
from reconciler.core.report import Report, Trigger
from reconciler.insert import insert_what_is_free
from reconciler.models import Container, Host, Transition
from reconciler.reconcile import reconcile
from tests.builders import FakeEngine, cid, container, workload

pytestmark = pytest.mark.django_db(transaction=True)

WEB = container("web", workload("shop", role="web"))
STOPPED = container("web", workload("shop", role="web"), state="stopped")
SECONDS = 60
"""Longest wait for what another thread is to do."""
postgresql_alone = pytest.mark.skipif(
    "postgresql" not in connection.vendor, reason="SQLite lets one writer in at a time: who comes second has to wait"
)


@contextmanager
def open_transaction(work: Callable[[], object], *, commit: bool = True) -> Iterator[Callable[[], None]]:
    """Give a function that does work in another connection's transaction, which is open until the block ends.

    On SQLite it ends by itself while the pass waits for it.
    """
    begun, block_ended = threading.Event(), threading.Event()

    def deploy() -> None:
        try:
            with transaction.atomic():
                work()
                begun.set()
                block_ended.wait(0.3 if connection.vendor == "sqlite" else SECONDS)
                transaction.set_rollback(not commit)
        finally:
            connection.close()

    def begin() -> None:
        deployers.append(pool.submit(deploy))
        assert begun.wait(SECONDS)

    deployers: list[Future[None]] = []
    with ThreadPoolExecutor(1) as pool:
        try:
            yield begin
        finally:
            block_ended.set()
        deployers[0].result(SECONDS)


def look(host: Host, *containers: Observation, meanwhile: Callable[[], object] | None = None) -> Report:
    report = reconcile(host, FakeEngine(list(containers), meanwhile=meanwhile), trigger=Trigger.MANUAL)
    assert report.outcome == "applied", report.error
    return report


def place(name: str = "web", **columns: Any) -> Container:
    """Make a row as a deployer does, a placeholder at first."""
    return Container.objects.create(id=f"shop:{name}", workload_id="shop", role=name, **columns)


def rebind(name: str) -> int:
    return Container.objects.filter(id="shop:web").update(container_id=cid(name), state="running")


def shown(name: str = "web") -> tuple[str, str]:
    row = Container.objects.get(id=f"shop:{name}")
    return row.container_id, row.state


def many(count: int, **changes: Any) -> list[Observation]:
    return [container(f"c{number}", workload("shop", role=f"r{number}"), **changes) for number in range(count)]


def test_a_row_that_is_being_inserted_stays_the_deployers(local: Host) -> None:
    """I5: there is no row yet that could be locked."""
    with open_transaction(lambda: place(container_id=cid("new"), state="created", image_tag="v2")) as begin:
        report = look(local, WEB, meanwhile=begin)
    assert (report.created, report.conflicts) == (0, 1)
    assert (shown(), Container.objects.get().image_tag) == ((cid("new"), "created"), "v2")
    assert not Transition.objects.steps().exists()


def test_a_row_whose_insert_is_taken_back_is_made_by_the_next_pass(local: Host) -> None:
    """I5."""
    with open_transaction(place, commit=False) as begin:
        look(local, WEB, meanwhile=begin)
    look(local, WEB)
    assert shown() == (cid("web"), "running")


@pytest.mark.parametrize("containers", [[STOPPED], []])
def test_a_row_that_is_being_rebound_keeps_its_new_container(local: Host, containers: list[Observation]) -> None:
    """I5."""
    place(container_id=cid("web"), state="running")
    with open_transaction(lambda: rebind("new")) as begin:
        report = look(local, *containers, meanwhile=begin)
    assert (report.conflicts, shown()) == (1, (cid("new"), "running"))


def test_a_row_that_is_being_deleted_is_not_made_again(local: Host) -> None:
    """I5: the container has a new row by the next pass."""
    place(container_id=cid("web"), state="running")
    with open_transaction(lambda: Container.objects.all().delete()) as begin:
        report = look(local, STOPPED, meanwhile=begin)
    assert (report.conflicts, Container.objects.count()) == (1, 0)


@postgresql_alone
def test_a_row_that_is_being_deleted_while_a_container_comes_for_it_is_a_conflict(local: Host) -> None:
    """I5: it is made after the pass has read its rows, and is being deleted when the pass writes."""
    with open_transaction(lambda: Container.objects.all().delete()) as begin:
        report = look(local, WEB, meanwhile=lambda: [place(), begin()])
    assert (report.created, report.conflicts) == (0, 1)


def test_a_row_that_is_committed_in_the_moment_before_it_would_be_made_stays_the_deployers(
    local: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I5."""

    def be_faster(rows: list[Container]) -> None:
        place(container_id=cid("new"), state="created")
        insert_what_is_free(rows)

    monkeypatch.setattr(apply, "insert_what_is_free", be_faster)
    report = look(local, WEB)
    assert (report.created, report.conflicts, shown()) == (0, 1, (cid("new"), "created"))
    assert not Transition.objects.steps().exists()


@postgresql_alone
def test_everything_but_what_a_deployer_holds_is_written(local: Host) -> None:
    """I5: one row is being inserted and one is locked, and no other row waits for them."""
    look(local, WEB, *many(20))

    def hold() -> None:
        place("new")
        Container.objects.select_for_update().get(id="shop:web")

    with open_transaction(hold) as begin:
        report = look(
            local, STOPPED, *many(20, state="stopped"), container("new", workload("shop", role="new")), meanwhile=begin
        )
        assert (report.updated, report.created, report.conflicts) == (20, 0, 2)
        assert Container.objects.filter(state="stopped").count() == 20
    host = Host.objects.get()
    assert (host.last_error, host.failures) == ("", 0)


@postgresql_alone
@pytest.mark.parametrize("held", [{0}, {39}, {7, 8, 9, 30}, set(range(40))])
def test_every_new_row_but_those_that_are_being_inserted_is_made(
    local: Host, held: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """I5, I11: who is in the way is found by halves, however slow the machine is."""
    monkeypatch.setattr(insert, "LONGEST_SEARCH_SECONDS", 60.0)
    with open_transaction(lambda: [place(f"r{number}") for number in held]) as begin:
        report = look(local, *many(40), meanwhile=begin)
        assert (report.created, report.conflicts) == (40 - len(held), len(held))
    made = set(Container.objects.bound().values_list("role", flat=True))
    assert made == {f"r{number}" for number in range(40) if number not in held}


def lock_timeout() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        return str(cursor.fetchone()[0])


@postgresql_alone
@pytest.mark.parametrize("held", [[], ["web"]])
def test_after_its_inserts_a_pass_may_wait_for_other_locks_as_long_as_before(local: Host, held: list[str]) -> None:
    """I15: a pass that has made rows does not fail because another one commits at that moment."""
    usual = lock_timeout()
    with open_transaction(lambda: [place(name) for name in held]) as begin:
        begin()
        with transaction.atomic():
            insert_what_is_free([Container(id=f"shop:{name}", workload_id="shop") for name in ("web", "db")])
            assert lock_timeout() == usual


@postgresql_alone
def test_what_is_refreshed_is_what_nobody_holds(local: Host) -> None:
    """I5, I11: a row that is locked for long has its turn later."""
    look(local, WEB, *many(3))
    Host.objects.update(sightings_at=None)
    before = timezone.now()
    with open_transaction(lambda: Container.objects.select_for_update().get(id="shop:web")) as begin:
        report = look(local, WEB, *many(3), meanwhile=begin)
    assert report.conflicts == 0
    assert Container.objects.filter(last_seen_at__gte=before).count() == 3


@postgresql_alone
def test_a_table_that_refers_to_a_row_holds_nothing_up(local: Host) -> None:
    """I5: a foreign key of the deployer's own locks a row's key, which no pass changes."""
    look(local, WEB)

    def refer() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM reconciler_container FOR KEY SHARE")

    with open_transaction(refer) as begin:
        assert look(local, STOPPED, meanwhile=begin).updated == 1
