"""What the index counts as drift: changes that a tick finds although no event has announced them."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import redis

from reconciler import tasks
from reconciler.conf import lock_of
from reconciler.core.events import EventReader
from reconciler.core.report import Report, Trigger
from reconciler.lock import PassRequest
from reconciler.models import Container, Host
from reconciler.single_flight import reconcile_in_turn
from simulator import Engine, Server
from tests.builders import cid, workload
from tests.messages import take_messages
from tests.statuses import ago, set_local, status

pytestmark = pytest.mark.usefixtures("valkey", "local")


@pytest.fixture
def engine(simulator: Server) -> Engine:
    """The Engine of host local: it has been watched since before its last success, and has one running container."""
    engine = Engine()
    engine.add("shop-web", id=cid("shop-web"), created=1_700_000_000, labels=workload("shop", role="web"))
    set_local(url=simulator.serve(engine), watching_since=ago(300))
    look("manual")
    set_local(last_success_at=ago(10), watcher_alive_at=ago(1))
    return engine


def look(trigger: str = "tick") -> Report:
    """Make a pass as a worker does; return its report."""
    flight = reconcile_in_turn(Host.objects.get(name="local"), trigger=Trigger(trigger))
    tasks.follow_up("local", flight)
    (report,) = flight.reports
    return report


@pytest.fixture
def drift(valkey: redis.Redis) -> Callable[[], int]:
    """Let the workers do what is to be done later, and return how much drift is counted then."""
    return lambda: counted_drift(valkey)


def counted_drift(client: redis.Redis) -> int:
    for message in take_messages(client):
        tasks.judge_drift(**message.kwargs)
    return Host.objects.get(name="local").drift_found


def ns(seconds_ago: float) -> int:
    return time.time_ns() - int(seconds_ago * 1e9)


def test_what_a_tick_finds_and_no_event_announced_is_drift(engine: Engine, drift: Callable[[], int]) -> None:
    engine.die(cid("shop-web"))
    assert look().updated == 1
    assert (drift(), Host.objects.get(name="local").drift_found_at is not None) == (1, True)


def test_drift_is_shown(engine: Engine, drift: Callable[[], int]) -> None:
    engine.die(cid("shop-web"))
    look()
    drift()
    shown = status()
    assert (shown["drift_found"], datetime.fromisoformat(shown["drift_found_at"]).tzinfo) == (1, UTC)


def test_what_an_event_announced_is_no_drift(engine: Engine, drift: Callable[[], int]) -> None:
    engine.die(cid("shop-web"))
    lock_of("local").note_events([ns(5)])
    look()
    assert drift() == 0


def test_an_event_that_arrives_a_moment_after_the_tick_announced_it(engine: Engine, drift: Callable[[], int]) -> None:
    happened = ns(0)
    engine.die(cid("shop-web"))
    look()
    lock_of("local").note_events([happened])
    assert drift() == 0


def test_no_worker_waits_for_late_events(engine: Engine, valkey: redis.Redis) -> None:
    """A message does, and by when it is answered does not matter."""
    engine.die(cid("shop-web"))
    look()
    (message,) = take_messages(valkey)
    assert (message.task, message.kwargs["host"], message.kwargs["changes"]) == ("judge_drift", "local", 1)
    assert message.eta is not None


def test_an_event_before_the_last_success_announced_something_else(engine: Engine, drift: Callable[[], int]) -> None:
    engine.die(cid("shop-web"))
    lock_of("local").note_events([ns(20)])
    look()
    assert drift() == 1


def test_a_container_gone_unannounced_is_drift(engine: Engine, drift: Callable[[], int]) -> None:
    engine.clear()
    assert look().missing == 1
    assert drift() == 1


@pytest.mark.parametrize(
    ("column", "seconds_ago"),
    [("watching_since", None), ("watcher_alive_at", 31), ("watching_since", 5)],
    ids=["not watched", "watcher dead", "watched only since the last success"],
)
def test_where_nobody_watched_all_the_time_nothing_is_drift(
    engine: Engine, drift: Callable[[], int], column: str, seconds_ago: float | None
) -> None:
    set_local(**{column: seconds_ago and ago(seconds_ago)})
    engine.die(cid("shop-web"))
    assert look().updated == 1
    assert drift() == 0


@pytest.mark.parametrize("trigger", ["event", "manual", "boot"])
def test_only_a_tick_finds_drift(engine: Engine, drift: Callable[[], int], trigger: str) -> None:
    engine.die(cid("shop-web"))
    assert look(trigger).updated == 1
    assert drift() == 0


def test_a_row_that_somebody_declared_failed_is_no_drift(engine: Engine, drift: Callable[[], int]) -> None:
    Container.objects.update(state="failed")
    assert look().updated == 1
    assert drift() == 0


def test_a_host_that_was_removed_meanwhile_has_no_drift(engine: Engine, valkey: redis.Redis) -> None:
    engine.die(cid("shop-web"))
    look()
    Container.objects.all().delete()
    Host.objects.all().delete()
    (message,) = take_messages(valkey)
    tasks.judge_drift(**message.kwargs)


def test_a_tick_that_finds_nothing_leaves_nothing_to_judge(engine: Engine, valkey: redis.Redis) -> None:
    assert look().unchanged == 1
    assert take_messages(valkey) == []


def test_a_lying_event_changes_no_row(engine: Engine) -> None:
    """I13: an event only asks; the row says what the listing says."""
    lie = {"Type": "container", "Action": "die", "id": cid("shop-web"), "status": "die", "timeNano": ns(0)}
    lie["Actor"] = {"ID": cid("shop-web"), "Attributes": workload("shop", role="web") | {"exitCode": "137"}}
    (event,) = EventReader().feed(json.dumps(lie).encode() + b"\n")
    before = Container.objects.values().get()
    tasks.ask("local", PassRequest(Trigger.EVENT, event.at_ns))
    (report,) = reconcile_in_turn(Host.objects.get(name="local"), trigger=Trigger.EVENT, only_if_asked=True).reports
    assert (report.outcome, report.changes) == ("applied", ())
    assert Container.objects.values().get() | {"last_seen_at": None} == before | {"last_seen_at": None}
