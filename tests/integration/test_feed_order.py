"""The feed is in the order of its commits: a reader with a cursor misses nothing and sees nothing twice (I16)."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from alerts import api
from alerts.models import Judge
from reconciler import feed, standing
from reconciler.api import Conflict, Placeholder, place
from reconciler.core.report import Trigger
from reconciler.models import Container, Feed, Host, Transition, newest_position
from reconciler.reconcile import reconcile
from tests.builders import FakeEngine, container, workload
from tests.channels import fire, resolve
from tests.waiting import WAIT_SECONDS, eventually, somebody_waits

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS, PASSES = 8, 12
STATES = ["running", "stopped", "paused", "restarting"]


@pytest.fixture
def in_thread() -> Iterator[Callable[[Callable[[], Any]], "Future[Any]"]]:
    """Give a function that lets another function run in a thread, with a connection of its own."""

    def with_own_connection(act: Callable[[], Any]) -> Any:
        try:
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor() as pool:
        yield lambda act: pool.submit(with_own_connection, act)


class Reader:
    """Somebody who follows the feed from a cursor on."""

    def __init__(self, cursor: str) -> None:
        self.feed = Feed.of_this_database()
        self.cursor = cursor
        self.seen: list[int] = []

    def read(self, limit: int = 1_000) -> None:
        """Read what comes after the cursor, and move the cursor on."""
        changes = self.feed.changes_after(self.cursor, limit)
        self.seen += [change.pk for change in changes]
        if changes:
            self.cursor = self.feed.cursor(changes[-1].pk)

    def follow(self, until: threading.Event) -> list[int]:
        """Read until the writers have ended, and then the rest."""
        while not until.is_set():
            self.read(limit=random.randint(1, 20))
            time.sleep(random.random() / 100)
        self.read()
        return self.seen


def all_ids() -> list[int]:
    return list(Transition.objects.order_by("id").values_list("id", flat=True))


def step(row_id: str) -> Transition:
    return Transition(row_id=row_id, host_id="local", at=timezone.now(), to_state="running")


def somebody_waits_for_the_feed() -> bool:
    return somebody_waits("advisory")


postgresql_alone = pytest.mark.skipif(
    "postgresql" not in connection.vendor, reason="SQLite lets one writer in at a time, and knows no locks of rows"
)


def somebody_waits_for_a_row() -> bool:
    return somebody_waits("transactionid")


def test_who_writes_first_and_commits_last_is_not_missed(
    local: Host, in_thread: Callable[[Callable[[], Any]], "Future[Any]"]
) -> None:
    """I16: its id is the smaller one, and the reader has come to the greater one already."""
    reader = Reader(Feed.of_this_database().newest())
    written, may_commit, committed = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        with transaction.atomic():
            feed.append([step("first")])
            written.set()
            # SQLite lets nobody else in as long as this takes
            assert may_commit.wait(WAIT_SECONDS if connection.vendor == "postgresql" else 0.5)

    def second() -> None:
        feed.append([step("second")])
        committed.set()

    one = in_thread(first)
    assert written.wait(WAIT_SECONDS)
    other = in_thread(second)
    if connection.vendor == "postgresql":
        eventually(lambda: committed.is_set() or somebody_waits_for_the_feed())
    reader.read()
    may_commit.set()
    for each in (one, other):
        each.result(WAIT_SECONDS)
    reader.read()
    assert reader.seen == all_ids()
    assert Transition.objects.order_by("id").values_list("row_id", flat=True)[0] == "first"


def write(host: Host) -> None:
    """Make passes that find another state each; every second one takes a while between its writing and its commit."""
    for number in range(PASSES):
        state = STATES[number % len(STATES)]
        web = container(f"{host.name}-web", workload("shop", role="web"), state=state)
        with transaction.atomic():
            report = reconcile(host, FakeEngine([web]), trigger=Trigger.TICK)
            assert report.outcome == "applied", report.error
            time.sleep(random.random() / 20 if number % 2 else 0)


def test_three_readers_of_eight_writers_get_every_change_once_and_in_the_same_order(
    local: Host, in_thread: Callable[[Callable[[], Any]], "Future[Any]"]
) -> None:
    """I16."""
    hosts = [Host.objects.create(name=f"host-{number}") for number in range(WRITERS)]
    start = Feed.of_this_database().newest()
    ended = threading.Event()
    readers = [in_thread(lambda: Reader(start).follow(ended)) for _ in range(3)]
    writers = [in_thread(partial(write, host)) for host in hosts]
    for writer in writers:
        writer.result(WAIT_SECONDS)
    ended.set()
    seen = [reader.result(WAIT_SECONDS) for reader in readers]
    assert seen == [all_ids()] * 3
    assert Transition.objects.steps().count() == WRITERS * PASSES


def test_a_list_and_the_changes_after_its_position_are_the_truth(
    local: Host, in_thread: Callable[[Callable[[], Any]], "Future[Any]"]
) -> None:
    """I16: whatever is written in between."""
    writers = [in_thread(partial(write, host)) for host in [local, Host.objects.create(name="west")]]
    rows: list[Any] = eventually(lambda: list(Container.objects.annotate(position=newest_position())))
    known = {row.pk: row.state for row in rows}
    for writer in writers:
        writer.result(WAIT_SECONDS)
    this = Feed.of_this_database()
    for change in this.changes_after(this.cursor(rows[0].position), 1_000):
        if change.row_id:
            known[change.row_id] = change.to_state
    assert known == dict(Container.objects.values_list("id", "state"))


def record_and_acknowledge(number: int) -> None:
    """Let incidents fire and be over, and acknowledge each while it fires."""
    for _ in range(PASSES):
        at = timezone.now()
        incident = fire(f"row-{number}", at=at)
        assert api.acknowledge([incident.pk], by="olga") == 1
        resolve(incident, at=at)


def test_readers_get_every_change_of_incidents_once_whoever_else_writes(
    local: Host, in_thread: Callable[[Callable[[], Any]], "Future[Any]"]
) -> None:
    """I16."""
    start, ended = Feed.of_this_database().newest(), threading.Event()
    readers = [in_thread(lambda: Reader(start).follow(ended)) for _ in range(2)]
    writers = [in_thread(partial(record_and_acknowledge, number)) for number in range(3)]
    writers += [in_thread(partial(write, local))]
    for writer in writers:
        writer.result(WAIT_SECONDS)
    ended.set()
    assert [reader.result(WAIT_SECONDS) for reader in readers] == [all_ids()] * 2
    assert Transition.objects.filter(kind="incident").count() == 3 * 3 * PASSES


@postgresql_alone
def test_who_announces_a_container_waits_for_the_removal_of_its_host_without_keeping_others_from_the_feed(
    local: Host, in_thread: Callable[[Callable[[], Any]], "Future[Any]"]
) -> None:
    """I16: or else both would wait for each other, and PostgreSQL would end one of them."""
    Host.objects.create(name="west")
    with transaction.atomic():
        west = Host.objects.select_for_update().get(name="west")
        announced = in_thread(lambda: place("shop:web@west", Placeholder(workload="shop", host="west")))
        eventually(lambda: announced.done() or somebody_waits_for_a_row())
        standing.remove_host(west, timezone.now())
    assert isinstance(announced.exception(WAIT_SECONDS), Conflict)
    assert not Container.objects.exists()


@postgresql_alone
def test_who_acknowledges_an_incident_waits_for_the_judge_that_lets_it_be_over(
    local: Host, in_thread: Callable[[Callable[[], Any]], "Future[Any]"]
) -> None:
    """I16: or else the feed would tell that somebody looks after what it has told to be over."""
    at = timezone.now()
    incident = fire(at=at)
    with transaction.atomic():
        Judge.of_this_database().keep_waiting()
        acknowledged = in_thread(lambda: api.acknowledge([incident.pk], by="olga"))
        eventually(lambda: acknowledged.done() or somebody_waits_for_a_row())
        resolve(incident, at=at)
    assert acknowledged.result(WAIT_SECONDS) == 0
    assert Transition.objects.first().to_state == "resolved"  # type: ignore[union-attr]
