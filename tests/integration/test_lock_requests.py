"""Requests that wait at a host's lock for whoever holds it."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from reconciler import lock as lock_module
from reconciler.core.report import Trigger
from reconciler.lock import Lease, PassRequest
from tests.integration.conftest import Locks
from tests.waiting import WAIT_SECONDS, eventually

EVENT = PassRequest(Trigger.EVENT)
LOCK, ASKED = "tinyforge:{local}:lock", "tinyforge:{local}:asked"


def test_a_request_while_idle_tells_its_maker_to_start(lock_of: Locks) -> None:
    assert lock_of().request(EVENT) is True


def test_a_request_while_held_tells_nobody_to_start(lock_of: Locks) -> None:
    lock_of().acquire()
    assert lock_of().request(EVENT) is False


def test_a_request_while_held_is_taken_by_the_holder_exactly_once(lock_of: Locks) -> None:
    """I12."""
    holder = lock_of()
    holder.acquire()
    lock_of().request(EVENT)
    assert [holder.release_unless_asked(), holder.release_unless_asked()] == [Lease(EVENT), None]


def test_the_holder_keeps_the_lock_for_the_request_it_took(lock_of: Locks) -> None:
    holder = lock_of()
    holder.acquire()
    lock_of().request(EVENT)
    holder.release_unless_asked()
    assert lock_of().acquire() is None


def test_a_holder_of_whom_nothing_was_asked_lets_go(lock_of: Locks) -> None:
    holder = lock_of()
    holder.acquire()
    assert holder.release_unless_asked() is None
    assert lock_of().acquire()


def test_a_thousand_requests_while_held_lead_to_one(lock_of: Locks) -> None:
    """I19."""
    holder = lock_of()
    holder.acquire()
    assert not any(lock_of().request(EVENT) for _ in range(1000))
    assert [holder.release_unless_asked(), holder.release_unless_asked()] == [Lease(EVENT), None]


def test_a_thousand_requests_while_idle_tell_one_to_start(lock_of: Locks, monkeypatch: pytest.MonkeyPatch) -> None:
    """I19."""
    monkeypatch.setattr(lock_module, "CALL_TTL_MS", 600_000)
    assert sum(lock_of().request(EVENT) for _ in range(1000)) == 1


def test_an_idle_request_tells_exactly_one_of_many_at_once_to_start(
    lock_of: Locks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_module, "CALL_TTL_MS", 600_000)
    locks = [lock_of() for _ in range(64)]
    with ThreadPoolExecutor(32) as pool:
        told = list(pool.map(lambda lock: lock.request(EVENT), locks))
    assert sum(told) == 1


def test_each_host_has_requests_of_its_own(lock_of: Locks) -> None:
    assert [lock_of("local").request(EVENT), lock_of("edge").request(EVENT)] == [True, True]


def test_a_request_is_taken_with_the_lock(lock_of: Locks, valkey: redis.Redis) -> None:
    """I12."""
    lock_of().request(EVENT)
    assert lock_of().acquire() == Lease(EVENT)
    assert valkey.keys() == [LOCK.encode()]


def test_a_lock_taken_only_if_asked_is_refused_when_nothing_is_asked(lock_of: Locks) -> None:
    assert lock_of().acquire(only_if_asked=True) is None
    assert lock_of().acquire()


def test_a_lock_taken_only_if_asked_comes_with_the_request(lock_of: Locks) -> None:
    lock_of().request(EVENT)
    assert lock_of().acquire(only_if_asked=True) == Lease(EVENT)


def test_a_request_after_the_last_was_taken_tells_its_maker_to_start(lock_of: Locks) -> None:
    """I12."""
    holder = lock_of()
    holder.request(EVENT)
    holder.acquire()
    holder.release_unless_asked()
    assert holder.request(EVENT) is True


def test_of_a_request_and_a_release_at_once_one_always_sees_the_other(lock_of: Locks) -> None:
    """I12."""
    holder, requester = lock_of(), lock_of()
    together = threading.Barrier(2)

    def at_once(act: Callable[[], Any]) -> Any:
        together.wait(timeout=WAIT_SECONDS)
        return act()

    with ThreadPoolExecutor(2) as pool:
        for _ in range(1000):
            holder.acquire()
            told = pool.submit(at_once, lambda: requester.request(EVENT))
            grant = pool.submit(at_once, holder.release_unless_asked)
            assert told.result() is (grant.result() is None)
            holder.release()
            holder.acquire()
            holder.release()


def test_releasing_leaves_a_request_standing(lock_of: Locks) -> None:
    holder = lock_of()
    holder.acquire()
    holder.request(EVENT)
    holder.release()
    assert lock_of().acquire(only_if_asked=True) == Lease(EVENT)


def test_when_the_one_told_to_start_died_the_next_requester_is_told(
    lock_of: Locks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I12."""
    monkeypatch.setattr(lock_module, "CALL_TTL_MS", 1_000)
    assert lock_of().request(EVENT) is True
    assert lock_of().request(EVENT) is False
    eventually(lambda: lock_of().request(EVENT))


def test_the_first_trigger_is_kept(lock_of: Locks) -> None:
    lock_of().request(PassRequest(Trigger.MANUAL))
    lock_of().request(PassRequest(Trigger.EVENT))
    assert lock_of().acquire() == Lease(PassRequest(Trigger.MANUAL))


def test_the_time_of_the_first_event_is_kept(lock_of: Locks) -> None:
    for event_ns in (1_700_000_000_123_456_789, 1_800_000_000_000_000_000):
        lock_of().request(PassRequest(Trigger.EVENT, event_ns))
    assert lock_of().acquire() == Lease(PassRequest(Trigger.EVENT, 1_700_000_000_123_456_789))


def test_an_event_gives_its_time_to_a_request_that_had_none(lock_of: Locks) -> None:
    lock_of().request(PassRequest(Trigger.MANUAL))
    lock_of().request(PassRequest(Trigger.EVENT, 42))
    assert lock_of().acquire() == Lease(PassRequest(Trigger.MANUAL, 42))


def test_a_request_does_not_stand_for_ever(lock_of: Locks, valkey: redis.Redis) -> None:
    """I19."""
    lock_of().request(EVENT)
    assert 0 < valkey.pttl(ASKED) <= lock_module.ASKED_TTL_MS
