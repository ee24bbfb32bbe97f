"""The messages that wait in Celery's queue, as a worker would get them."""

import base64
import json
from typing import Any, NamedTuple, cast

import redis


class Message(NamedTuple):
    """What a worker would get."""

    task: str
    args: list[Any]
    kwargs: dict[str, Any]
    expires: str | None
    content_type: str
    eta: str | None


def take_messages(client: redis.Redis, queue: str = "reconcile") -> list[Message]:
    """Take every message out of a queue, oldest first."""
    raw = [json.loads(body) for body in reversed(cast("list[bytes]", client.lrange(queue, 0, -1)))]
    client.delete(queue)
    return [_decoded(message) for message in raw]


def _decoded(message: dict[str, Any]) -> Message:
    args, kwargs, _ = json.loads(base64.b64decode(message["body"]))
    headers = message["headers"]
    return Message(headers["task"], args, kwargs, headers["expires"], message["content-type"], headers["eta"])
