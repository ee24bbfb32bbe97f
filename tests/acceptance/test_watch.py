"""The watcher, in this process, against simulated Engines whose streams misbehave."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
from pytest_django.fixtures import Settings

from reconciler.core.events import Event
from reconciler.exceptions import CannotWatch, LockUnavailable
from reconciler.lock import PassRequest
from reconciler.models import Host
from reconciler.watch import asker as asker_module
from reconciler.watch import stream as stream_module
from reconciler.watch import supervisor
from reconciler.watch.supervisor import Watcher
from simulator import Engine, Failure, Server
from tests.builders import workload
from tests.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)


class Asks:
    """What a watcher asked for, and when."""

    def __init__(self) -> None:
        self.made: list[tuple[float, str, int | None]] = []

    def __call__(self, host: str, ask: PassRequest, _announced: tuple[int, ...]) -> None:
        self.made.append((time.monotonic(), host, ask.event_ns))

    def of(self, host: str) -> int:
        return sum(name == host for _, name, _ in self.made)


@pytest.fixture
def asks() -> Asks:
    return Asks()


@pytest.fixture
def engine(local: Host, simulator: Server) -> Engine:
    engine = Engine()
    local.url = simulator.serve(engine)
    local.save()
    return engine


@pytest.fixture
def start(local: Host, asks: Asks, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Watcher]]:
    monkeypatch.setattr(supervisor, "REFRESH_SECONDS", 0.2)
    started: list[tuple[Watcher, threading.Thread]] = []

    def start_watcher(window: float = 0.1) -> Watcher:
        watcher = Watcher(asks, window)
        thread = threading.Thread(target=watcher.run)
        thread.start()
        started.append((watcher, thread))
        return watcher

    yield start_watcher
    for watcher, thread in started:
        watcher.stopping.set()
        thread.join()


def watching_since() -> datetime | None:
    return Host.objects.get(name="local").watching_since


def test_a_pass_is_asked_for_once_subscribed(engine: Engine, asks: Asks, start: Callable[..., Watcher]) -> None:
    """I13."""
    start()
    eventually(lambda: asks.made)
    assert engine.open_streams == 1


def test_an_event_asks_with_the_daemons_time(engine: Engine, asks: Asks, start: Callable[..., Watcher]) -> None:
    start()
    eventually(lambda: asks.of("local"))
    before = time.time_ns()
    engine.add("web", labels=workload("shop", role="web"))
    after = time.time_ns()
    event_ns = eventually(lambda: next((told for _, _, told in asks.made if told), None), what="the event's time")
    assert before <= event_ns <= after


def test_a_thousand_events_a_second_ask_for_ten_passes_a_second_at_most(
    engine: Engine, asks: Asks, start: Callable[..., Watcher]
) -> None:
    """I19."""
    start(window=0.1)
    container_id = engine.add("web")
    eventually(lambda: asks.of("local"))
    asks.made.clear()
    began = time.monotonic()
    for _ in range(1000):
        engine.pause(container_id)
        engine.unpause(container_id)
        time.sleep(0.001)
    last = time.monotonic()
    eventually(lambda: asks.made and asks.made[-1][0] >= last, what="a pass after the last event")
    # one look a window, and one more in the first; the asks made before the list was cleared have begun a window
    assert 2 <= len(asks.made) <= (time.monotonic() - began) / 0.1 + 3


def test_exec_and_attach_ask_for_nothing(engine: Engine, asks: Asks, start: Callable[..., Watcher]) -> None:
    container_id = engine.add("web")
    start()
    eventually(lambda: asks.of("local"))
    for _ in range(20):
        engine.exec_probe(container_id)
    between = time.time_ns()
    engine.pause(container_id)
    eventually(lambda: any(told for _, _, told in asks.made), what="the pass that the pause asks for")
    assert all(told is None or told >= between for _, _, told in asks.made)


def test_a_stream_gone_silent_is_opened_anew_and_followed_by_a_pass(
    engine: Engine, asks: Asks, start: Callable[..., Watcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    """I13."""
    monkeypatch.setattr(stream_module, "SILENCE_SECONDS", 1.0)
    start()
    eventually(lambda: asks.of("local"))
    engine.fail(Failure.SILENT)
    before = asks.of("local")
    engine.add("unheard")
    eventually(lambda: asks.of("local") > before)


def test_silence_is_noticed_within_a_minute() -> None:
    assert stream_module.SILENCE_SECONDS + 10 < 60


def test_a_stream_is_ended_deliberately_and_opened_anew(
    engine: Engine, asks: Asks, start: Callable[..., Watcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "STREAM_SECONDS", (0.5, 0.6))
    start()
    eventually(lambda: asks.of("local") >= 3)


def test_a_stream_that_ends_again_and_again_is_not_opened_in_a_busy_loop(
    engine: Engine, asks: Asks, start: Callable[..., Watcher]
) -> None:
    """I19."""
    engine.fail(Failure.ENDS)
    began = time.monotonic()
    start()
    eventually(lambda: engine.requests.count(("GET", "/events")) >= 3, what="two attempts more")
    # the pauses are from one to two seconds, and from two to four
    assert time.monotonic() - began >= 3


def test_garbage_leads_to_a_new_stream_and_a_pass(engine: Engine, asks: Asks, start: Callable[..., Watcher]) -> None:
    """I13."""
    start()
    eventually(lambda: asks.of("local"))
    engine.emit_raw(b"<html>\n")
    eventually(lambda: engine.requests.count(("GET", "/events")) == 2, what="a new stream")
    eventually(lambda: asks.of("local") >= 2, what="a pass")


def test_a_daemon_that_comes_back_is_watched_again(
    engine: Engine, simulator: Server, asks: Asks, start: Callable[..., Watcher]
) -> None:
    start()
    eventually(lambda: asks.of("local"))
    simulator.close(engine)
    eventually(lambda: watching_since() is None, what="the record says it is not watched")
    simulator.serve(engine)
    eventually(lambda: asks.of("local") >= 2)
    eventually(watching_since, what="the record says it is watched")


def test_one_hosts_trouble_does_not_touch_another(
    engine: Engine, asks: Asks, start: Callable[..., Watcher], simulator: Server, settings: Settings
) -> None:
    """I15: while one host hangs, for longer than any wait of this test, another one is watched."""
    settings.ENGINE_TIMEOUT = 300.0
    hanging = Engine()
    hanging.fail(Failure.HANG, path="/version")
    Host.objects.create(name="hanging", url=simulator.serve(hanging))
    Host.objects.create(name="absent", url="unix:///tmp/nobody-here.sock")
    start()
    eventually(lambda: hanging.requests, what="the host hangs")
    eventually(lambda: asks.of("local"))
    engine.add("web")
    eventually(lambda: any(told for _, _, told in asks.made), what="the event's pass")
    assert (asks.of("hanging"), asks.of("absent")) == (0, 0)
    hanging.heal()


def test_hosts_added_disabled_and_changed_are_picked_up(
    engine: Engine, asks: Asks, start: Callable[..., Watcher], simulator: Server
) -> None:
    start()
    eventually(lambda: asks.of("local"))
    added, moved = Engine(), Engine()
    host = Host.objects.create(name="added", url=simulator.serve(added))
    eventually(lambda: asks.of("added"))
    host.url = simulator.serve(moved)
    host.save()
    eventually(lambda: (added.open_streams, moved.open_streams) == (0, 1))
    Host.objects.filter(name="added").update(enabled=False)
    eventually(lambda: moved.open_streams == 0)
    assert engine.open_streams == 1


def test_an_ask_that_fails_is_made_again(engine: Engine, asks: Asks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asker_module, "RETRY_SECONDS", 0.3)
    failures = [LockUnavailable("redis", "gone"), LockUnavailable("redis", "gone")]

    def ask(host: str, request: PassRequest, announced: tuple[int, ...]) -> None:
        if failures:
            raise failures.pop()
        asks(host, request, announced)

    asker = asker_module.Asker(ask, 0.1)
    asker.start()
    asker.note_event("local", Event("start", 42))
    eventually(lambda: asks.made)
    asker.stop()
    asker.join()
    assert asks.made[0][1:] == ("local", 42)


def test_the_record_counts_events_and_asks(engine: Engine, asks: Asks, start: Callable[..., Watcher]) -> None:
    start()
    eventually(lambda: asks.of("local"))
    engine.add("web")
    eventually(lambda: Host.objects.get(name="local").events_seen == 2, what="create and start")
    eventually(lambda: Host.objects.get(name="local").passes_asked >= 2)


def test_a_watcher_that_cannot_reach_redis_gives_up_in_the_end(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "PATIENCE_SECONDS", 0.5)

    def ask(host: str, request: PassRequest, announced: tuple[int, ...]) -> None:
        raise LockUnavailable("redis", "gone")

    with pytest.raises(CannotWatch, match="Redis"):
        Watcher(ask, 0.1).run()
