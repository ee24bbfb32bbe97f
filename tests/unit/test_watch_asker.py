"""The thread that asks for passes: it makes the looks that are due, and counts what it asked for."""

import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from kombu.exceptions import OperationalError

from reconciler.core.events import Event
from reconciler.core.report import Trigger
from reconciler.lock import PassRequest
from reconciler.watch import asker as asker_module
from reconciler.watch.asker import Asker
from tests.waiting import WAIT_SECONDS, eventually


class Asks:
    """What was asked for; the first few fail if the test wants so."""

    def __init__(self) -> None:
        self.made: list[tuple[str, PassRequest]] = []
        self.announced: list[int] = []
        self.failures = 0
        self._changed = threading.Condition()

    def __call__(self, host: str, request: PassRequest, announced: tuple[int, ...]) -> None:
        with self._changed:
            if self.failures:
                self.failures -= 1
                raise OperationalError("no broker")
            self.made.append((host, request))
            self.announced.extend(announced)
            self._changed.notify_all()

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.made) >= count, WAIT_SECONDS)


@pytest.fixture
def asks() -> Asks:
    return Asks()


@pytest.fixture
def asker(asks: Asks, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asker]:
    monkeypatch.setattr(asker_module, "RETRY_SECONDS", 0.05)
    asker = Asker(asks, 0.02)
    asker.start()
    yield asker
    asker.stop()
    asker.join(WAIT_SECONDS)
    assert not asker.is_alive()


def test_a_wanted_pass_is_asked_for(asker: Asker, asks: Asks) -> None:
    asker.want("local")
    asks.wait_for(1)
    assert asks.made == [("local", PassRequest(Trigger.EVENT))]


def test_an_event_is_asked_for_with_its_time_again_and_again(asker: Asker, asks: Asks) -> None:
    """Looks that are late are made in one."""
    asker.note_event("local", Event("start", 7))
    asks.wait_for(2)
    assert set(asks.made) == {("local", PassRequest(Trigger.EVENT, 7))}
    assert asks.announced == [7]


def test_an_ask_that_failed_is_made_again_with_its_time(asker: Asker, asks: Asks) -> None:
    asks.failures = 2
    asker.note_event("local", Event("start", 7))
    asks.wait_for(1)
    assert (asks.made[0], asks.announced) == (("local", PassRequest(Trigger.EVENT, 7)), [7])


def test_asking_fails_since_the_first_failure_until_it_works(asker: Asker, asks: Asks) -> None:
    asks.failures = 1_000_000
    asker.want("local")
    eventually(lambda: asker.status().failing_since is not None)
    asks.failures = 0
    asks.wait_for(1)
    eventually(lambda: asker.status().failing_since is None)


def test_asks_are_counted_by_host(asker: Asker, asks: Asks) -> None:
    asker.note_event("local", Event("start", 1))
    asker.want("edge")
    eventually(lambda: asker.status().asked.get("edge") == 1)
    eventually(lambda: asker.status().asked.get("local", 0) >= 2)
    eventually(lambda: asker.status().asked == Counter(host for host, _ in asks.made))


def test_a_watcher_that_may_have_lost_its_hosts_asks_for_nothing_until_it_knows(asker: Asker, asks: Asks) -> None:
    """I15: it was stopped for a while, say, and has not yet heard who took its hosts."""
    asker.trust_until(time.monotonic())
    asker.note_event("taken", Event("start", 7))
    asker.note_event("local", Event("start", 8))
    time.sleep(0.1)
    assert asks.made == []
    asker.forget("taken")
    asker.trust_until(time.monotonic() + WAIT_SECONDS)
    asks.wait_for(1)
    assert set(asks.made) == {("local", PassRequest(Trigger.EVENT, 8))}


def test_stop_ends_the_thread_and_what_is_wanted_later_is_dropped(asker: Asker, asks: Asks) -> None:
    asker.stop()
    asker.join(WAIT_SECONDS)
    asker.want("local")
    assert (asker.is_alive(), asks.made) == (False, [])
