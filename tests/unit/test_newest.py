"""Those who wait for news are woken together, and by news alone."""

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.waiting import WAIT_SECONDS, eventually
from web import newest
from web.newest import AFTER_NEWS_SECONDS, POLL_SECONDS, Newest


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newest, "LINGER_SECONDS", 0.01)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(20) as threads:
        yield threads


def let_wait(pool: ThreadPoolExecutor, entries: Newest, people: int) -> list[Future[None]]:
    """Let so many people wait, one after the other."""
    waiting = []
    for number in range(people):
        waiting.append(pool.submit(entries.wait_for_another, entries.known, WAIT_SECONDS))
        eventually(lambda wanted=number + 1: entries._waiting == wanted)  # type: ignore[misc]
    return waiting


def test_everybody_who_waits_is_woken_by_news(pool: ThreadPoolExecutor) -> None:
    feed = [1]
    entries = Newest(lambda: feed[-1])
    entries._look()
    waiting = let_wait(pool, entries, 20)
    feed.append(2)
    for each in waiting:
        each.result(WAIT_SECONDS)
    assert entries.known == 2


def test_who_begins_to_wait_wakes_nobody_who_waits_already(pool: ThreadPoolExecutor) -> None:
    looks = itertools.count()
    entries = Newest(lambda: 1)
    entries._look()

    def count() -> bool:
        return threading.current_thread().name != "newest" and next(looks) < 0

    entries.is_ending = count
    waiting = let_wait(pool, entries, 20)
    assert next(looks) == 20
    entries.is_ending = lambda: True
    for each in waiting:
        each.result(WAIT_SECONDS)


def test_what_comes_soon_after_another_change_is_told_together_with_what_comes_then() -> None:
    feed = iter((1, 1, 2, 2))
    entries = Newest(lambda: next(feed))
    pauses = [entries._look() for _ in range(4)]
    assert pauses == [AFTER_NEWS_SECONDS, POLL_SECONDS, AFTER_NEWS_SECONDS, POLL_SECONDS]
