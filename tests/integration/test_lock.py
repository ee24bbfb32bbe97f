"""A host's lock: who gets it, and for how long."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from reconciler.core.report import Trigger
from reconciler.lock import Lease, PassRequest
from tests.integration.conftest import Locks
from tests.waiting import eventually, within

EVENT = PassRequest(Trigger.EVENT)
LOCK = "tinyforge:{local}:lock"


# Mutual exclusion


def test_a_free_lock_is_granted_with_nothing_asked(lock_of: Locks) -> None:
    assert lock_of().acquire() == Lease(asked=None)


def test_a_held_lock_is_refused_at_once(lock_of: Locks) -> None:
    lock_of().acquire()
    with within(0):
        assert lock_of().acquire() is None


def test_a_held_lock_is_refused_to_its_own_holder_too(lock_of: Locks) -> None:
    lock = lock_of()
    lock.acquire()
    assert lock.acquire() is None


def test_each_host_has_a_lock_of_its_own(lock_of: Locks) -> None:
    lock_of("local").acquire()
    assert lock_of("edge").acquire()


def test_one_of_many_at_once_gets_the_lock(lock_of: Locks) -> None:
    locks = [lock_of() for _ in range(32)]
    with ThreadPoolExecutor(32) as pool:
        grants = list(pool.map(lambda lock: lock.acquire(), locks))
    assert sum(grant is not None for grant in grants) == 1


def test_a_released_lock_is_free(lock_of: Locks) -> None:
    holder = lock_of()
    holder.acquire()
    assert holder.release() is True
    assert lock_of().acquire()


@pytest.mark.parametrize("way", ["release", "release_unless_asked"])
def test_only_its_owner_releases_a_lock(lock_of: Locks, way: str) -> None:
    lock_of().acquire()
    assert not getattr(lock_of(), way)()
    assert lock_of().acquire() is None


@pytest.mark.parametrize("way", ["release", "release_unless_asked"])
def test_a_holder_whose_lock_expired_does_not_release_the_next_one_s(
    lock_of: Locks, valkey: redis.Redis, way: str
) -> None:
    slow, following = lock_of(), lock_of()
    slow.acquire()
    valkey.delete(LOCK)
    following.acquire()
    assert not getattr(slow, way)()
    assert following.renew() is True


def test_a_holder_whose_lock_expired_does_not_take_the_next_one_s_request(lock_of: Locks, valkey: redis.Redis) -> None:
    slow, following = lock_of(), lock_of()
    slow.acquire()
    valkey.delete(LOCK)
    following.acquire()
    lock_of().request(EVENT)
    assert slow.release_unless_asked() is None
    assert following.release_unless_asked() == Lease(EVENT)


# Time to live


def test_a_lock_lives_no_longer_than_its_time_to_live(lock_of: Locks, valkey: redis.Redis) -> None:
    lock_of(ttl_seconds=30).acquire()
    assert 29_000 < valkey.pttl(LOCK) <= 30_000


def test_the_lock_of_a_dead_holder_can_be_taken_once_it_expired(lock_of: Locks, valkey: redis.Redis) -> None:
    lock_of().acquire()
    assert lock_of().acquire() is None
    valkey.pexpire(LOCK, 1)
    eventually(lambda: lock_of().acquire())


def test_a_lock_is_renewed_while_the_body_works(lock_of: Locks, valkey: redis.Redis) -> None:
    holder = lock_of(ttl_seconds=6)
    holder.acquire()
    with holder.renewed():
        valkey.pexpire(LOCK, 5_000)
        eventually(lambda: valkey.pttl(LOCK) > 5_000, what="it has its full time again")
        assert lock_of().acquire() is None


def test_a_lock_is_renewed_no_more_after_the_body(lock_of: Locks) -> None:
    holder = lock_of(ttl_seconds=0.2)
    holder.acquire()
    with holder.renewed():
        pass
    eventually(lambda: lock_of().acquire())


def test_renewing_ends_with_an_error_in_the_body(lock_of: Locks) -> None:
    holder = lock_of()
    with pytest.raises(ZeroDivisionError), holder.renewed():
        raise ZeroDivisionError
    assert "lock-renewal" not in {thread.name for thread in threading.enumerate()}


def test_renewing_gives_the_full_time_again(lock_of: Locks, valkey: redis.Redis) -> None:
    holder = lock_of(ttl_seconds=30)
    holder.acquire()
    valkey.pexpire(LOCK, 1_000)
    assert holder.renew() is True
    assert valkey.pttl(LOCK) > 29_000


def test_keeping_the_lock_for_one_more_pass_gives_the_full_time_again(lock_of: Locks, valkey: redis.Redis) -> None:
    holder = lock_of(ttl_seconds=30)
    holder.acquire()
    lock_of().request(EVENT)
    valkey.pexpire(LOCK, 1_000)
    holder.release_unless_asked()
    assert valkey.pttl(LOCK) > 29_000


def test_a_vanished_lock_is_not_renewed(lock_of: Locks, valkey: redis.Redis) -> None:
    holder = lock_of()
    holder.acquire()
    valkey.flushall()
    assert holder.renew() is False
    assert valkey.keys() == []


def test_another_s_lock_is_not_renewed(lock_of: Locks) -> None:
    lock_of().acquire()
    assert lock_of().renew() is False
