"""When the watcher asks for passes, and with which event's time."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from kombu.exceptions import OperationalError

from reconciler.core.report import Trigger
from reconciler.lock import PassRequest
from reconciler.watch import supervisor as watch
from reconciler.watch.supervisor import Asker

WINDOW = 0.08
SETTLED = 0.24
SLACK = 0.08
"""How late a thread may be on a busy machine."""


class Asks:
    """What was asked for, and when, in seconds since the beginning."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.made: list[tuple[float, str, PassRequest]] = []
        self.failures = 0

    def __call__(self, host: str, ask: PassRequest) -> None:
        if self.failures:
            self.failures -= 1
            raise OperationalError("no broker")
        self.made.append((time.monotonic() - self.began, host, ask))

    def times(self, host: str = "local") -> list[float]:
        return [at for at, name, _ in self.made if name == host]

    def events(self, host: str = "local") -> list[int | None]:
        return [ask.event_ns for _, name, ask in self.made if name == host]


@pytest.fixture
def asks() -> Asks:
    return Asks()


@pytest.fixture
def asker(asks: Asks, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asker]:
    monkeypatch.setattr(watch, "SETTLED_SECONDS", SETTLED)
    monkeypatch.setattr(watch, "RETRY_SECONDS", 0.15)
    asker = Asker(asks, WINDOW)
    asker.start()
    asks.began = time.monotonic()
    yield asker
    asker.stop()
    asker.join(timeout=2)


def wait(condition: Callable[[], bool], seconds: float = 2.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert condition()


def test_the_first_want_is_asked_at_once(asker: Asker, asks: Asks) -> None:
    asker.want("local", 7)
    wait(lambda: len(asks.made) == 1)
    at, host, ask = asks.made[0]
    assert (host, ask) == ("local", PassRequest(Trigger.EVENT, 7))
    assert at < SLACK


def test_the_rest_of_a_burst_is_one_more_when_the_window_has_passed(asker: Asker, asks: Asks) -> None:
    asker.want("local", 1)
    wait(lambda: len(asks.made) == 1)
    for event_ns in range(2, 50):
        asker.want("local", event_ns)
    time.sleep(3 * WINDOW)
    assert asks.events() == [1, 2]
    assert asks.times()[1] - asks.times()[0] >= WINDOW * 0.9


def test_of_a_burst_the_first_events_time_is_kept(asker: Asker, asks: Asks) -> None:
    asker.want("local")
    wait(lambda: len(asks.made) == 1)
    for event_ns in (None, 5, 3, 9):
        asker.want("local", event_ns)
    wait(lambda: len(asks.made) == 2)
    assert asks.events() == [None, 5]


@pytest.mark.parametrize(("is_early", "events"), [(True, [None, 7, None]), (False, [7, None, None])])
def test_an_event_is_looked_at_at_once_after_the_window_and_once_more(
    asker: Asker, asks: Asks, is_early: bool, events: list[int | None]
) -> None:
    """I13: an event that a daemon sends early gives its time to the second look, any other event to the first."""
    asker.want_settled("local", 7, is_early=is_early)
    wait(lambda: len(asks.made) == 3)
    assert asks.events() == events
    for at, due in zip(asks.times(), (0.0, WINDOW, SETTLED), strict=True):
        assert due * 0.9 <= at < due + SLACK


def test_after_the_last_look_nothing_more_is_asked(asker: Asker, asks: Asks) -> None:
    asker.want_settled("local", 7, is_early=True)
    time.sleep(SETTLED + 3 * WINDOW)
    assert len(asks.made) == 3


def test_the_settled_looks_move_with_the_last_death(asker: Asker, asks: Asks) -> None:
    for event_ns in range(1, 8):
        asker.want_settled("local", event_ns, is_early=True)
        time.sleep(0.04)
    last = time.monotonic() - asks.began - 0.04
    wait(lambda: asks.times()[-1] >= last + SETTLED * 0.9)
    time.sleep(2 * WINDOW)
    assert last + SETTLED * 0.9 <= asks.times()[-1] < last + SETTLED + SLACK


def test_a_storm_of_deaths_does_not_multiply_asks(asker: Asker, asks: Asks) -> None:
    began = time.monotonic()
    for event_ns in range(1, 151):
        asker.want_settled("local", event_ns, is_early=True)
        time.sleep(0.002)
    lasted = time.monotonic() - began
    time.sleep(SETTLED + 2 * WINDOW)
    assert len(asks.made) <= lasted / WINDOW + 1 + 3


def test_a_storm_of_deaths_keeps_the_first_ones_time(asker: Asker, asks: Asks) -> None:
    for event_ns in range(1, 101):
        asker.want_settled("local", event_ns, is_early=True)
    time.sleep(SETTLED + 2 * WINDOW)
    assert [event_ns for event_ns in asks.events() if event_ns is not None] == [1]


def test_hosts_do_not_wait_for_each_other(asker: Asker, asks: Asks) -> None:
    asker.want("local", 1)
    asker.want("edge", 2)
    wait(lambda: len(asks.made) == 2)
    assert asks.times("edge")[0] < SLACK
    assert (asks.events("local"), asks.events("edge")) == ([1], [2])


def test_an_ask_that_failed_is_made_again_with_its_time(asker: Asker, asks: Asks) -> None:
    asks.failures = 1
    asker.want("local", 7)
    wait(lambda: len(asks.made) == 1)
    assert (asks.events(), asker.failing_since) == ([7], None)


def test_asks_are_counted_by_host(asker: Asker, asks: Asks) -> None:
    asker.want_settled("local", 1)
    asker.want("edge")
    wait(lambda: len(asks.made) == 4)
    wait(lambda: asker.asked == {"local": 3, "edge": 1})


def test_stop_ends_the_thread_and_what_is_wanted_later_is_dropped(asker: Asker, asks: Asks) -> None:
    asker.want_settled("local", 7, is_early=True)
    wait(lambda: len(asks.made) == 1)
    asker.stop()
    asker.join(timeout=1)
    assert not asker.is_alive()
    time.sleep(2 * WINDOW)
    assert len(asks.made) == 1
    assert asker not in threading.enumerate()
