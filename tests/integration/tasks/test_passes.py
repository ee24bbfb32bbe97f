import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from celery.backends.base import DisabledBackend
from celery.beat import Scheduler
from django.db import OperationalError, connection
from django.utils import timezone
from pytest_django.fixtures import Settings

from dev.services import Valkey, free_port
from reconciler import single_flight, tasks
from reconciler.conf import lock_of
from reconciler.core.report import Trigger
from reconciler.lock import Lease, PassRequest
from reconciler.models import Container, Host
from simulator import Engine, Failure, Server
from tests.builders import FakeEngine, certain, cid, container, workload
from tests.holds import age_holds
from tests.messages import Message, take_messages
from tinyforge.celery import app, fire_boot_pass

NO_REDIS = "redis://127.0.0.1:1/0"
pytestmark = pytest.mark.usefixtures("valkey")


Queue = Callable[[], list[Message]]


@pytest.fixture
def engine(simulator: Server, local: Host) -> Engine:
    engine = Engine()
    engine.add("shop-web", id=cid("shop-web"), labels=workload("shop", role="web"))
    Host.objects.filter(name="local").update(url=simulator.serve(engine))
    return engine


@pytest.fixture
def queue(valkey: redis.Redis) -> Queue:
    """Take every message out of the real queue, oldest first."""
    return lambda: take_messages(valkey)


@pytest.fixture
def fake(local: Host, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """An Engine for host local in this process."""
    lister = FakeEngine([container("shop-web", workload("shop", role="web"))])
    monkeypatch.setattr(single_flight, "engine_of", lambda host: lister)
    return lister


# The fan-out


def test_a_tick_enqueues_a_pass_for_each_enabled_host(local: Host, queue: Queue) -> None:
    Host.objects.create(name="edge")
    Host.objects.create(name="off", enabled=False)
    tasks.reconcile()
    assert [(message.task, message.args) for message in queue()] == [
        ("reconcile_host", ["edge", "tick"]),
        ("reconcile_host", ["local", "tick"]),
    ]


def test_a_tick_s_pass_expires_with_the_next_tick(local: Host, queue: Queue, settings: Settings) -> None:
    settings.RECONCILE_INTERVAL = 7
    tasks.reconcile()
    (message,) = queue()
    left = datetime.fromisoformat(certain(message.expires)) - datetime.now(UTC)
    assert timedelta(seconds=5) < left <= timedelta(seconds=7)


def test_a_tick_asks_for_nothing_that_stands(local: Host, valkey: redis.Redis) -> None:
    tasks.reconcile()
    assert lock_of("local").acquire(only_if_asked=True) is None


def test_the_boot_pass_leaves_a_request_standing_for_each_enabled_host(local: Host) -> None:
    """I12."""
    Host.objects.create(name="edge")
    Host.objects.create(name="off", enabled=False)
    tasks.reconcile("boot")
    taken = {name: lock_of(name).acquire(only_if_asked=True) for name in ("local", "edge", "off")}
    assert taken == {"local": Lease(PassRequest(Trigger.BOOT)), "edge": Lease(PassRequest(Trigger.BOOT)), "off": None}


def test_a_message_expires_and_what_it_was_to_answer_stands(local: Host, queue: Queue, settings: Settings) -> None:
    """I12, I19: a backlog does not pile up, and the next tick answers."""
    settings.RECONCILE_INTERVAL = 7
    tasks.reconcile("boot")
    (message,) = queue()
    left = datetime.fromisoformat(certain(message.expires)) - datetime.now(UTC)
    assert (message.args, timedelta(seconds=5) < left <= timedelta(seconds=7)) == (["local", "boot"], True)
    assert lock_of("local").acquire() == Lease(PassRequest(Trigger.BOOT))


def test_a_tick_passes_over_a_host_that_fails_until_its_next_try(local: Host, queue: Queue) -> None:
    """I15."""
    now = timezone.now()
    Host.objects.create(name="soon", failures=3, retry_at=now + timedelta(seconds=60))
    Host.objects.create(name="due", failures=3, retry_at=now - timedelta(seconds=1))
    tasks.reconcile()
    # failing hosts come last
    assert [message.args for message in queue()] == [["local", "tick"], ["due", "tick"]]


def attempted(name: str, seconds_ago: float | None, **columns: Any) -> tuple[Host, bool]:
    at = None if seconds_ago is None else timezone.now() - timedelta(seconds=seconds_ago)
    return Host.objects.update_or_create(name=name, defaults={"last_attempt_at": at, **columns})


def failing(seconds_ago: float, *, due_seconds_ago: float) -> dict[str, Any]:
    """Return the columns of a host that failed so long ago, and was to be tried again so long ago."""
    now = timezone.now()
    error_at, retry_at = (now - timedelta(seconds=seconds) for seconds in (seconds_ago, due_seconds_ago))
    return {"failures": 3, "last_error": "hangs", "last_error_at": error_at, "retry_at": retry_at}


@pytest.mark.parametrize("trigger", ["tick", "boot"])
def test_the_host_that_was_looked_at_longest_ago_comes_first(local: Host, queue: Queue, trigger: str) -> None:
    """I15."""
    attempted("local", 20)
    attempted("new", None)
    attempted("early", 50)
    attempted("late", 10)
    tasks.reconcile(trigger)
    assert [message.args[0] for message in queue()] == ["new", "early", "local", "late"]


def test_a_failing_host_comes_last_however_long_it_has_waited(local: Host, queue: Queue) -> None:
    """I15: it may hang."""
    attempted("local", 10)
    attempted("bad", 290, **failing(290, due_seconds_ago=290))
    attempted("worse", 250, **failing(250, due_seconds_ago=100))
    tasks.reconcile()
    assert [message.args[0] for message in queue()] == ["local", "bad", "worse"]


def test_a_failing_host_that_rounds_have_left_out_for_long_has_its_turn(local: Host, queue: Queue) -> None:
    """I15: rounds that last longer than an interval would leave out who comes last every time."""
    attempted("local", 10)
    attempted("bad", 500, **failing(500, due_seconds_ago=301))
    tasks.reconcile()
    assert [message.args[0] for message in queue()] == ["bad", "local"]


def test_every_host_has_its_turn_where_a_round_has_time_for_one_alone(
    local: Host, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I15: the rest of each round expires."""
    monkeypatch.setattr(single_flight, "engine_of", lambda host: FakeEngine())
    names = ["local", "a", "b", "c"]
    for name in names[1:]:
        Host.objects.create(name=name)
    looked_at = []
    for _ in range(8):
        tasks.reconcile()
        message, *_ = queue()
        tasks.reconcile_host(*message.args)
        looked_at.append(message.args[0])
    assert sorted(looked_at[:4]) == sorted(looked_at[4:]) == sorted(names)


@pytest.mark.parametrize("trigger", ["boot", "manual"])
def test_other_requests_do_not_wait_for_a_next_try(local: Host, queue: Queue, trigger: str) -> None:
    """I15."""
    Host.objects.update(failures=3, retry_at=timezone.now() + timedelta(seconds=60))
    tasks.reconcile(trigger)
    assert [message.args for message in queue()] == [["local", trigger]]


def test_a_host_that_is_held_is_looked_at_again_in_time(
    local: Host, queue: Queue, fake: FakeEngine, settings: Settings
) -> None:
    """I14."""
    settings.HOLD_LEAST = 1
    tasks.reconcile_host("local", "tick")
    fake.containers.clear()
    tasks.reconcile_host("local", "tick")
    (message,) = queue()
    wait = datetime.fromisoformat(certain(message.eta)) - datetime.now(UTC)
    assert datetime.fromisoformat(certain(message.expires)) > datetime.fromisoformat(certain(message.eta)) + timedelta(
        seconds=20
    )
    assert (message.args, timedelta(seconds=3) < wait <= timedelta(seconds=5)) == (["local", "confirm"], True)


def test_the_second_look_needs_nobody_to_ask_for_it(
    local: Host, queue: Queue, fake: FakeEngine, settings: Settings
) -> None:
    """I14."""
    settings.HOLD_LEAST = 1
    tasks.reconcile_host("local", "tick")
    fake.containers.clear()
    tasks.reconcile_host("local", "tick")
    age_holds(6)
    tasks.reconcile_host("local", "confirm")
    assert (Container.objects.get().state, Host.objects.get().held_since) == ("missing", None)


@pytest.mark.parametrize("trigger", list(Trigger))
def test_a_host_that_is_off_is_not_looked_at(local: Host, fake: FakeEngine, trigger: str) -> None:
    """I14: nobody looks at it, whatever was asked of the workers before it was turned off."""
    lock_of("local").request(PassRequest(Trigger.EVENT))
    Host.objects.update(enabled=False)
    tasks.reconcile_host("local", trigger)
    assert fake.listings == 0


def test_what_was_held_of_a_host_is_not_swept_after_it_was_turned_off(
    local: Host, queue: Queue, fake: FakeEngine, settings: Settings
) -> None:
    """I14: an operator who sees that a daemon lies can stop what would follow."""
    settings.HOLD_LEAST = 1
    tasks.reconcile_host("local", "tick")
    fake.containers.clear()
    tasks.reconcile_host("local", "tick")
    Host.objects.update(enabled=False)
    age_holds(6)
    (message,) = queue()
    getattr(tasks, message.task)(*message.args)
    assert Container.objects.get().state == "running"


def test_many_boots_at_once_enqueue_one_pass(local: Host, queue: Queue) -> None:
    for _ in range(5):
        tasks.reconcile("boot")
    assert len(queue()) == 1


def test_without_hosts_nothing_is_enqueued(db: None, queue: Queue) -> None:
    Host.objects.all().delete()
    tasks.reconcile()
    tasks.reconcile("boot")
    assert queue() == []


def test_a_worker_that_is_ready_enqueues_the_boot_pass(queue: Queue) -> None:
    fire_boot_pass()
    (message,) = queue()
    assert (message.task, message.kwargs) == ("reconcile", {"trigger": "boot"})


def test_asking_while_a_pass_is_under_way_enqueues_nothing(local: Host, queue: Queue) -> None:
    holder = lock_of("local")
    holder.acquire()
    tasks.ask("local", PassRequest(Trigger.EVENT))
    assert queue() == []
    assert holder.release_unless_asked() == Lease(PassRequest(Trigger.EVENT))


# One host's pass


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
    monkeypatch.setattr(single_flight, "LONGEST_FLIGHT_SECONDS", 0.2)

    def answer_late() -> None:
        lock_of("local").request(PassRequest(Trigger.EVENT))
        time.sleep(0.3)

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


# Messages that nobody should send


@pytest.mark.parametrize("trigger", ["", "nonsense", "TICK", 5, None, True, ["tick"], {"tick": 1}])
def test_a_message_with_an_unknown_trigger_is_a_warning(
    fake: FakeEngine, queue: Queue, caplog: pytest.LogCaptureFixture, trigger: str
) -> None:
    """I15."""
    tasks.reconcile(trigger)
    tasks.reconcile_host("local", trigger)
    assert (fake.listings, queue()) == (0, [])
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert lock_of("local").acquire(only_if_asked=True) is None


@pytest.mark.parametrize(
    ("left", "taken"),
    [
        ({"trigger": "nonsense", "event_ns": "5"}, PassRequest(Trigger.EVENT, 5)),
        ({"trigger": b"\xff", "event_ns": "soon"}, PassRequest(Trigger.EVENT)),
        ({"trigger": "manual", "event_ns": "9" * 30}, PassRequest(Trigger.MANUAL)),
        ({"trigger": "manual", "event_ns": "-5"}, PassRequest(Trigger.MANUAL)),
    ],
)
def test_a_request_that_another_version_has_left_asks_for_a_pass(
    fake: FakeEngine, valkey: redis.Redis, left: dict[Any, Any], taken: PassRequest
) -> None:
    """I12."""
    valkey.hset("tinyforge:{local}:asked", mapping=left)
    holder = lock_of("local")
    assert holder.acquire(only_if_asked=True) == Lease(taken)
    holder.release()
    valkey.hset("tinyforge:{local}:asked", mapping=left)
    tasks.reconcile_host("local", "event")
    assert fake.listings == 1


def test_a_message_with_an_unknown_trigger_is_ignored_with_a_warning(
    fake: FakeEngine, queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    """I15: nothing is left behind in Redis that could keep the host from its next pass."""
    tasks.reconcile("nope")
    tasks.reconcile_host("local", "nope")
    assert (fake.listings, queue(), lock_of("local").acquire(only_if_asked=True)) == (0, [], None)
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


def test_a_pass_goes_on_when_its_lock_vanishes(fake: FakeEngine, valkey: redis.Redis) -> None:
    """I7."""
    fake.meanwhile = valkey.flushall
    tasks.reconcile_host("local", "tick")
    assert Container.objects.count() == 1


# Redis down


def test_without_redis_a_pass_is_a_warning(
    engine: Engine, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = NO_REDIS
    tasks.reconcile_host("local", "tick")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "Redis at 127.0.0.1:1 does not answer" in caplog.text
    assert "local" in caplog.text


def test_without_redis_no_engine_is_asked_out_of_turn(engine: Engine, settings: Settings) -> None:
    settings.REDIS_URL = NO_REDIS
    tasks.reconcile_host("local", "tick")
    assert engine.requests == []


def test_when_redis_dies_during_a_pass_its_rows_are_written(
    fake: FakeEngine, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """I7."""
    with Valkey(tmp_path, port=free_port()) as own:
        settings.REDIS_URL = own.url
        fake.meanwhile = own.kill
        tasks.reconcile_host("local", "tick")
    assert Container.objects.count() == 1
    assert "go on without it" in caplog.text


def test_without_redis_the_boot_fan_out_is_a_warning(
    local: Host, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = NO_REDIS
    tasks.reconcile("boot")
    assert [record.levelname for record in caplog.records] == ["WARNING"]


# Logs


def test_changes_are_logged_with_their_cause(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "reconciler")
    tasks.reconcile_host("local", "tick")
    assert f"host local: create shop:web: container {cid('shop-web')[:12]} (shop-web) is running" in caplog.messages


def test_nothing_to_do_is_not_news(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    tasks.reconcile_host("local", "tick")
    caplog.clear()
    caplog.set_level("INFO", "reconciler")
    tasks.reconcile_host("local", "tick")
    assert caplog.messages == []


# Celery's settings


def test_messages_are_json(local: Host, queue: Queue) -> None:
    tasks.reconcile()
    assert queue()[0].content_type == "application/json"
    assert app.conf.accept_content == ["json"]


def test_results_are_kept_nowhere(local: Host) -> None:
    assert isinstance(app.backend, DisabledBackend)
    assert app.tasks["reconcile"].ignore_result is app.tasks["reconcile_host"].ignore_result is True


def test_beat_sends_a_tick_that_expires_with_the_next() -> None:
    entry = Scheduler(app).schedule["reconcile"]
    assert (entry.task, entry.kwargs) == ("reconcile", {"trigger": "tick"})
    assert entry.schedule.run_every == timedelta(seconds=entry.options["expires"]) == timedelta(seconds=30)


def test_beat_keeps_no_state_file() -> None:
    assert app.conf.beat_scheduler == "celery.beat:Scheduler"


def test_a_half_open_broker_connection_is_noticed() -> None:
    with app.connection_for_write() as connection, connection.channel() as channel:
        pool = channel.pool.connection_kwargs
    assert (pool["socket_timeout"], pool["socket_keepalive"], pool["health_check_interval"]) == (10, True, 10)


def test_the_broker_is_tried_again_for_ever() -> None:
    assert app.conf.broker_connection_max_retries is None
    assert app.conf.broker_connection_retry_on_startup is True


def test_a_message_is_acknowledged_when_taken() -> None:
    assert not app.tasks["reconcile_host"].acks_late
    assert app.conf.worker_prefetch_multiplier == 1
