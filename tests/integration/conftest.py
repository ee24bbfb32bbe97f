"""What several modules of the integration tests need."""

from collections.abc import Callable

import pytest
import redis

from reconciler.lock import HostLock

Locks = Callable[..., HostLock]


@pytest.fixture
def lock_of(valkey: redis.Redis) -> Locks:
    """Return a lock with a token of its own, as another process would have it."""
    return lambda host="local", ttl_seconds=60.0: HostLock(valkey, host, ttl_seconds)
