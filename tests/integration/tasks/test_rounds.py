"""A round over all hosts: whose pass is enqueued, and in which order."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from django.conf import settings
from django.utils import timezone
from pytest_django.fixtures import Settings

from reconciler import single_flight, tasks
from reconciler.conf import lock_of
from reconciler.core.report import Trigger
from reconciler.lock import Lease, PassRequest
from reconciler.models import Container, Host
from tests.builders import FakeEngine, certain
from tests.holds import age_holds
from tests.integration.tasks.conftest import Queue
from tests.messages import take_messages
from tinyforge.celery import app, ask_the_judge, fire_boot_pass
from tinyforge.queues import PASSES
from tinyforge.schedule import ALERTS_QUEUE, URGENT_QUEUE

pytestmark = pytest.mark.usefixtures("valkey")


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
    fire_boot_pass(sender=a_worker_of(settings.CELERY_TASK_DEFAULT_QUEUE))
    (message,) = queue()
    assert (message.task, message.kwargs) == ("reconcile", {"trigger": "boot"})


def test_a_worker_that_makes_no_passes_enqueues_no_boot_pass(queue: Queue) -> None:
    fire_boot_pass(sender=a_worker_of(ALERTS_QUEUE))
    assert queue() == []


def test_an_error_does_not_end_the_asking_for_looks_of_the_judge(
    valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(app, "send_task", lambda *_, **__: 1 / 0)
        ask_the_judge()
    assert "the judge could not be asked" in caplog.text
    ask_the_judge()
    assert [message.task for message in take_messages(valkey, ALERTS_QUEUE)] == ["judge_incidents", "tell_people"]


def a_worker_of(queue: str) -> SimpleNamespace:
    """Return what Celery says sends the signal: a consumer with its app's queues."""
    return SimpleNamespace(app=SimpleNamespace(amqp=SimpleNamespace(queues=SimpleNamespace(consume_from={queue}))))


@pytest.mark.parametrize("trigger", ["tick", "boot"])
def test_a_pass_of_a_round_waits_in_the_queue_of_rounds(local: Host, valkey: redis.Redis, trigger: str) -> None:
    tasks.reconcile(trigger)
    assert [valkey.llen(name) for name in (PASSES, URGENT_QUEUE)] == [1, 0]


@pytest.mark.parametrize("trigger", ["event", "manual"])
def test_what_somebody_waits_for_is_in_a_queue_without_rounds(local: Host, valkey: redis.Redis, trigger: str) -> None:
    tasks.ask("local", PassRequest(Trigger(trigger)))
    assert [valkey.llen(name) for name in (PASSES, URGENT_QUEUE)] == [0, 1]


def test_what_is_urgent_waits_for_no_boot_pass_that_was_asked_for_before(
    local: Host, fake: FakeEngine, valkey: redis.Redis
) -> None:
    tasks.reconcile("boot")
    tasks.ask("local", PassRequest(Trigger.EVENT, 1))
    tasks.ask("local", PassRequest(Trigger.EVENT, 2))
    assert [valkey.llen(name) for name in (PASSES, URGENT_QUEUE)] == [1, 1]
    tasks.reconcile_host("local", "event")
    tasks.reconcile_host("local", "boot")
    assert fake.listings == 1, "whichever message comes first answers both"


def test_an_urgent_request_is_handed_over_as_one_though_a_round_had_asked_before(local: Host) -> None:
    tasks.reconcile("boot")
    tasks.ask("local", PassRequest(Trigger.EVENT, 1))
    assert lock_of("local").acquire(only_if_asked=True) == Lease(PassRequest(Trigger.EVENT, 1))


def test_a_worker_of_urgent_passes_enqueues_no_boot_pass(queue: Queue) -> None:
    fire_boot_pass(sender=a_worker_of(URGENT_QUEUE))
    assert queue() == []


def test_a_worker_that_is_told_nothing_takes_rounds_and_what_is_urgent() -> None:
    assert set(app.amqp.queues.consume_from) == {PASSES, URGENT_QUEUE}


def test_asking_while_a_pass_is_under_way_enqueues_nothing(local: Host, queue: Queue) -> None:
    holder = lock_of("local")
    holder.acquire()
    tasks.ask("local", PassRequest(Trigger.EVENT))
    assert queue() == []
    assert holder.release_unless_asked() == Lease(PassRequest(Trigger.EVENT))
