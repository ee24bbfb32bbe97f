import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis

from dev.services import Valkey, free_port
from reconciler import lock as lock_module
from reconciler.core.report import Trigger
from reconciler.exceptions import LockUnavailable
from reconciler.lock import HostLock, Lease, PassRequest, connect
from tests.waiting import WAIT_SECONDS, eventually, within

EVENT = PassRequest(Trigger.EVENT)
LOCK, ASKED = "tinyforge:{local}:lock", "tinyforge:{local}:asked"


Locks = Callable[..., HostLock]


@pytest.fixture
def lock_of(valkey: redis.Redis) -> Locks:
    """Return a lock with a token of its own, as another process would have it."""
    return lambda host="local", ttl_seconds=60.0: HostLock(valkey, host, ttl_seconds)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey of its own, which a test may kill."""
    with Valkey(tmp_path, port=free_port()) as server:
        yield server


def own_lock(server: Valkey, ttl_seconds: float = 60.0) -> HostLock:
    return HostLock(connect(server.url), "local", ttl_seconds)


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


# Requests


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


# Without Valkey


@pytest.mark.parametrize("way", ["acquire", "release", "release_unless_asked", "renew"])
def test_a_dead_valkey_is_named(own: Valkey, way: str) -> None:
    own.kill()
    with pytest.raises(LockUnavailable, match=rf"Redis at 127\.0\.0\.1:{own.port} does not answer \(.+\)"):
        getattr(own_lock(own), way)()


def test_a_request_of_a_valkey_that_dies_is_refused(own: Valkey) -> None:
    lock = own_lock(own)
    lock.acquire()
    own.kill()
    with pytest.raises(LockUnavailable):
        lock.request(EVENT)


def test_a_socket_is_named_by_its_path(tmp_path: Path) -> None:
    lock = HostLock(connect(f"unix://{tmp_path}/no.sock"), "local", 60)
    with pytest.raises(LockUnavailable, match=f"Redis at {tmp_path}/no.sock does not answer"):
        lock.acquire()


@pytest.mark.parametrize("is_noticed", [True, False])
def test_a_lock_works_again_by_itself_once_valkey_is_back(own: Valkey, is_noticed: bool) -> None:
    lock = own_lock(own)
    lock.acquire()
    own.kill()
    if is_noticed:
        with pytest.raises(LockUnavailable):
            lock.renew()
    own.start()
    assert lock.acquire() == Lease(asked=None)


def test_releasing_after_a_restart_is_harmless(own: Valkey) -> None:
    holder = own_lock(own)
    holder.acquire()
    own.kill()
    own.start()
    following = own_lock(own)
    following.acquire()
    assert [holder.release_unless_asked(), holder.release(), holder.renew()] == [None, False, False]
    assert following.renew() is True


def test_a_body_goes_on_when_valkey_dies_under_it(own: Valkey) -> None:
    """I7."""
    lock = own_lock(own, ttl_seconds=0.15)
    lock.acquire()
    with lock.renewed():
        own.kill()
        time.sleep(0.2)
    own.start()
    assert lock.acquire()
