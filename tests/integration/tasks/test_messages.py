"""Tasks where something is wrong: messages that nobody should send, a Redis that is down; and what they log."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from celery.backends.base import DisabledBackend
from celery.beat import Scheduler
from pytest_django.fixtures import Settings

from dev.services import Valkey, free_port
from reconciler import tasks
from reconciler.conf import lock_of
from reconciler.core.report import Trigger
from reconciler.lock import Lease, PassRequest
from reconciler.models import Container, Host
from simulator import Engine
from tests.builders import FakeEngine, cid
from tests.integration.tasks.conftest import Queue
from tinyforge.celery import app

NO_REDIS = "redis://127.0.0.1:1/0"
pytestmark = pytest.mark.usefixtures("valkey")


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
