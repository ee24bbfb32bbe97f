"""What the tests of tasks share: Engines of the host local, and the real queue."""

from collections.abc import Callable

import pytest
import redis

from reconciler import single_flight
from reconciler.models import Host
from simulator import Engine, Server
from tests.builders import FakeEngine, cid, container, workload
from tests.messages import Message, take_messages
from tinyforge.queues import PASSES
from tinyforge.schedule import URGENT_QUEUE

Queue = Callable[[], list[Message]]


@pytest.fixture
def engine(simulator: Server, local: Host) -> Engine:
    engine = Engine()
    engine.add("shop-web", id=cid("shop-web"), labels=workload("shop", role="web"))
    Host.objects.filter(name="local").update(url=simulator.serve(engine))
    return engine


@pytest.fixture
def queue(valkey: redis.Redis) -> Queue:
    """Take every message out of the real queues of passes, urgent ones first, and of each queue the oldest first."""
    return lambda: [message for name in (URGENT_QUEUE, PASSES) for message in take_messages(valkey, name)]


@pytest.fixture
def fake(local: Host, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """An Engine for host local in this process."""
    lister = FakeEngine([container("shop-web", workload("shop", role="web"))])
    monkeypatch.setattr(single_flight, "engine_of", lambda host: lister)
    return lister
