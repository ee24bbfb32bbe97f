"""The task that makes one host's pass: when it makes one, and what it leaves to be done."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from django.db import OperationalError, connection
from pytest_django.fixtures import Settings

from reconciler import single_flight, tasks
from reconciler.conf import lock_of
from reconciler.core.report import Trigger
from reconciler.lock import Lease, PassRequest
from reconciler.models import Container, Host
from simulator import Engine, Failure
from tests.builders import FakeEngine, certain, container, workload
from tests.integration.tasks.conftest import Queue

pytestmark = pytest.mark.usefixtures("valkey")


def test_a_pass_that_was_asked_for_writes_the_rows(engine: Engine) -> None:
    lock_of("local").request(PassRequest(Trigger.EVENT))
    tasks.reconcile_host("local", "event")
    assert Container.objects.get().id == "shop:web"


def test_a_message_that_finds_nothing_asked_makes_no_pass(engine: Engine) -> None:
    tasks.reconcile_host("local", "event")
    assert engine.requests == []


def test_a_tick_makes_a_pass_without_being_asked(engine: Engine) -> None:
    tasks.reconcile_host("local", "tick")
    assert Container.objects.count() == 1


def test_a_tick_answers_what_was_asked(engine: Engine) -> None:
    """I12."""
    lock_of("local").request(PassRequest(Trigger.EVENT))
    tasks.reconcile_host("local", "tick")
    engine.reset_requests()
    tasks.reconcile_host("local", "event")
    assert engine.requests == []


def test_a_tick_that_finds_a_pass_under_way_leaves(engine: Engine, queue: Queue) -> None:
    lock_of("local").acquire()
    tasks.reconcile_host("local", "tick")
    assert (engine.requests, queue()) == ([], [])


def test_a_tick_that_left_leaves_nothing_to_be_done_by_the_holder(engine: Engine) -> None:
    holder = lock_of("local")
    holder.acquire()
    tasks.reconcile_host("local", "tick")
    assert holder.release_unless_asked() is None


def test_the_lock_is_free_after_a_pass(engine: Engine, valkey: redis.Redis) -> None:
    tasks.reconcile_host("local", "tick")
    assert valkey.keys("tinyforge:{local}:*") == []


def test_the_lock_is_free_after_a_pass_that_failed(engine: Engine, valkey: redis.Redis) -> None:
    engine.fail(Failure.ERROR)
    tasks.reconcile_host("local", "tick")
    assert valkey.keys("tinyforge:{local}:*") == []


def test_the_lock_is_free_after_a_pass_that_broke(fake: FakeEngine, valkey: redis.Redis) -> None:
    fake.meanwhile = lambda: 1 / 0
    with pytest.raises(ZeroDivisionError):
        tasks.reconcile_host("local", "tick")
    assert valkey.keys("tinyforge:{local}:*") == []


def test_a_failing_engine_is_remembered_and_warned_of_once(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    engine.fail(Failure.ERROR)
    for _ in range(3):
        tasks.reconcile_host("local", "tick")
    assert "HTTP 500" in Host.objects.get(name="local").last_error
    assert [record.levelname for record in caplog.records].count("WARNING") == 1


def test_a_host_gone_meanwhile_is_harmless(db: None, queue: Queue) -> None:
    tasks.reconcile_host("gone", "tick")
    tasks.reconcile_host("gone", "event")
    assert queue() == []


def test_a_request_during_the_listing_leads_to_exactly_one_more(fake: FakeEngine) -> None:
    """I12."""
    asked = PassRequest(Trigger.EVENT)
    fake.meanwhile = lambda: fake.listings > 1 or [lock_of("local").request(asked) for _ in range(10)]
    tasks.reconcile_host("local", "tick")
    assert fake.listings == 2


def test_a_conflict_leads_to_another_look(fake: FakeEngine) -> None:
    """I5."""
    Container.objects.create(id="shop:web", workload_id="shop")
    fake.meanwhile = lambda: Container.objects.filter(state="").update(state="failed")
    tasks.reconcile_host("local", "tick")
    assert (fake.listings, Container.objects.get().state) == (2, "running")


def test_conflicts_that_last_lead_to_a_look_later_and_not_to_one_after_the_other(
    fake: FakeEngine, queue: Queue
) -> None:
    """I5, I19: a deployer may hold a row for minutes."""
    Container.objects.create(id="shop:web", workload_id="shop")
    change = iter(range(1_000))
    fake.meanwhile = lambda: Container.objects.update(state=f"deploying-{next(change)}")
    tasks.reconcile_host("local", "tick")
    (message,) = queue()
    wait = datetime.fromisoformat(certain(message.eta)) - datetime.now(UTC)
    assert (fake.listings, message.args) == (2, ["local", "retry"])
    assert timedelta(seconds=0) < wait <= timedelta(seconds=2)


def test_who_waits_for_a_look_later_waits_for_one(fake: FakeEngine, queue: Queue) -> None:
    """I19: each event would begin a row of looks of its own."""
    Container.objects.create(id="shop:web", workload_id="shop")
    change = iter(range(1_000))
    fake.meanwhile = lambda: Container.objects.update(state=f"deploying-{next(change)}")
    for trigger in ("tick", "tick", "retry"):
        tasks.reconcile_host("local", trigger)
    assert [message.args for message in queue()] == [["local", "retry"]]
    assert fake.listings == 5


def test_a_look_later_writes_what_is_free_by_then(fake: FakeEngine, queue: Queue) -> None:
    """I5."""
    Container.objects.create(id="shop:web", workload_id="shop")
    tasks.reconcile_host("local", "retry")
    assert (Container.objects.get().state, queue()) == ("running", [])


def test_after_its_last_round_a_holder_hands_over_to_another_worker(
    fake: FakeEngine, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I12, I19."""
    monkeypatch.setattr(single_flight, "MOST_ROUNDS", 3)
    lock_of("local").request(PassRequest(Trigger.EVENT))
    fake.meanwhile = lambda: lock_of("local").request(PassRequest(Trigger.EVENT))
    tasks.reconcile_host("local", "event")
    assert fake.listings == 3
    (message,) = queue()
    fake.meanwhile = None
    getattr(tasks, message.task)(*message.args)
    assert (fake.listings, queue()) == (4, [])


def test_a_handed_over_request_keeps_its_trigger_and_its_event(
    fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(single_flight, "MOST_ROUNDS", 1)
    fake.meanwhile = lambda: lock_of("local").request(PassRequest(Trigger.EVENT, 42))
    tasks.reconcile_host("local", "tick")
    assert lock_of("local").acquire(only_if_asked=True) == Lease(PassRequest(Trigger.EVENT, 42))


def test_a_holder_that_has_flown_for_long_hands_over_to_another_worker(
    fake: FakeEngine, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I12, I15, I19: the passes of a host that answers late would hold a worker up for an hour."""
    now = [0.0]
    monkeypatch.setattr(single_flight, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def answer_late() -> None:
        lock_of("local").request(PassRequest(Trigger.EVENT))
        now[0] += single_flight.LONGEST_FLIGHT_SECONDS

    fake.meanwhile = answer_late
    tasks.reconcile_host("local", "tick")
    assert (fake.listings, [message.args for message in queue()]) == (1, [["local", "event"]])


def test_a_request_is_answered_by_the_engine_as_it_is_configured_then(
    fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I12: whoever edits a host and asks for a pass sees what the new Engine has."""
    edited = FakeEngine([container("new-web", workload("new", role="web"))])
    engines = {"": fake, "tcp://new:2375": edited}
    monkeypatch.setattr(single_flight, "engine_of", lambda host: engines[host.url])

    def edit() -> None:
        Host.objects.update(url="tcp://new:2375")
        lock_of("local").request(PassRequest(Trigger.MANUAL))

    fake.meanwhile = edit
    tasks.reconcile_host("local", "tick")
    assert (fake.listings, edited.listings) == (1, 1)


@pytest.mark.parametrize("act", [lambda: Host.objects.update(enabled=False), lambda: Host.objects.all().delete()])
def test_a_host_that_is_switched_off_or_removed_is_not_looked_at_again(
    fake: FakeEngine, queue: Queue, act: Callable[[], object]
) -> None:
    """I12, I14."""

    def meanwhile() -> None:
        lock_of("local").request(PassRequest(Trigger.EVENT))
        act()

    fake.meanwhile = meanwhile
    tasks.reconcile_host("local", "tick")
    assert (fake.listings, queue()) == (1, [])
    assert lock_of("local").acquire() is not None


@pytest.mark.parametrize("trigger", ["tick", "event", "manual", "boot", "confirm", "retry"])
def test_workers_do_not_look_at_a_host_that_is_off(fake: FakeEngine, trigger: str) -> None:
    """I14."""
    lock_of("local").request(PassRequest(Trigger.EVENT))
    Host.objects.update(enabled=False)
    tasks.reconcile_host("local", trigger)
    assert fake.listings == 0


def test_a_database_that_fails_between_two_passes_loses_nothing_that_the_first_has_left(
    fake: FakeEngine, queue: Queue, settings: Settings
) -> None:
    """I14: what is held is confirmed in time."""
    settings.HOLD_LEAST = 1
    tasks.reconcile_host("local", "tick")
    fake.containers.clear()

    told: list[str] = []

    def fail_later(execute: Callable[..., Any], sql: str, *more: Any) -> Any:
        # a pass that finds the host held ends by telling the feed, and the next one begins by reading the host's row
        told.extend([sql] if sql.startswith('INSERT INTO "reconciler_transition"') else [])
        if told and sql.startswith('SELECT "reconciler_host"."name"'):
            raise OperationalError("server closed the connection")
        return execute(sql, *more)

    fake.meanwhile = lambda: lock_of("local").request(PassRequest(Trigger.EVENT))
    with connection.execute_wrapper(fail_later):
        tasks.reconcile_host("local", "tick")
    assert [message.args for message in queue()] == [["local", "confirm"]]
