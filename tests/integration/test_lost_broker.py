"""A worker that is as busy as it may be when Redis goes away takes messages again when Redis is back (I12)."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.ports import free_port
from dev.valkey import Valkey
from tinyforge.celery import app

Finish = Callable[[Any], None]


@pytest.fixture
def own_valkey(short: Path) -> Iterator[Valkey]:
    """A server of this test alone, which it may kill."""
    with Valkey(short / "v", port=free_port()) as server:
        yield server


def ack(message: Any) -> None:
    message.ack()


def reject(message: Any) -> None:
    message.reject()


@pytest.mark.parametrize("finish", [ack, reject])
def test_a_message_that_is_done_while_redis_is_away_takes_nobodys_place(own_valkey: Valkey, finish: Finish) -> None:
    with app.connection_for_read(own_valkey.url) as connection:
        taken = take_one(connection)
        own_valkey.kill()
        with pytest.raises(connection.connection_errors):
            finish(taken)
        assert taken.channel.qos.can_consume()


@pytest.mark.parametrize("finish", [ack, reject])
def test_a_message_that_is_done_while_redis_is_there_takes_nobodys_place(own_valkey: Valkey, finish: Finish) -> None:
    with app.connection_for_read(own_valkey.url) as connection:
        taken = take_one(connection)
        assert not taken.channel.qos.can_consume()
        finish(taken)
        assert taken.channel.qos.can_consume()


def take_one(connection: Any) -> Any:
    """Take the only message that may be taken at a time."""
    queue = connection.SimpleQueue("lost")
    queue.consumer.qos(prefetch_count=1)
    queue.put("text")
    return queue.get(timeout=20)
