"""A host's lock when its Valkey dies and comes back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.services import Valkey, free_port
from reconciler.core.report import Trigger
from reconciler.exceptions import LockUnavailable
from reconciler.lock import HostLock, Lease, PassRequest, connect
from tests.waiting import eventually

EVENT = PassRequest(Trigger.EVENT)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey of its own, which a test may kill."""
    with Valkey(tmp_path, port=free_port()) as server:
        yield server


class NotingLock(HostLock):
    """A lock that notes why it could not be renewed."""

    failures: tuple[LockUnavailable, ...] = ()

    def renew(self) -> bool:
        try:
            return super().renew()
        except LockUnavailable as error:
            self.failures += (error,)
            raise


def own_lock(server: Valkey) -> HostLock:
    return HostLock(connect(server.url), "local", 60.0)


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
    lock = NotingLock(connect(own.url), "local", 0.15)
    lock.acquire()
    with lock.renewed():
        own.kill()
        failed = len(lock.failures)
        eventually(lambda: len(lock.failures) > failed, what="the lock could not be renewed")
    own.start()
    assert lock.acquire()
