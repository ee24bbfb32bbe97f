"""Hands only those messages from the queue to Celery that are of the kind which this index sends itself.

Celery trusts whoever can write to the queue. A message of another shape would end the worker, and many such messages
go back into the queue when it ends, so that they would end the next worker, too. Here they are dropped with a warning.
"""

import base64
import logging
import uuid
from typing import Any, Literal

import msgspec
from django.conf import settings
from kombu.transport import TRANSPORT_ALIASES, redis, virtual

from tinyforge.schedule import ALERTS_QUEUE, APPRISE_QUEUE, URGENT_QUEUE

logger = logging.getLogger(__name__)

Argument = str | int | float | bool | None
# What can go wrong with a message. Errors of a connection are none of these.
UNUSABLE = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


class Headers(msgspec.Struct):
    """What Celery is told about a task; times are in ISO 8601."""

    task: str
    id: str
    eta: str | None = None
    expires: str | None = None
    retries: int = 0


class DeliveryInfo(msgspec.Struct):
    """The way that a message took."""

    exchange: str
    routing_key: str


class Properties(msgspec.Struct):
    """What the transport is told about a message."""

    delivery_info: DeliveryInfo
    body_encoding: Literal["base64"]
    priority: int = 0
    # a new one for each: of two messages with one tag, one would never be done
    delivery_tag: str = ""


class Message(msgspec.Struct, rename="kebab"):
    """A message as it is in Redis; fields that have no name here are dropped."""

    body: str
    content_type: Literal["application/json"]
    content_encoding: Literal["utf-8"]
    headers: Headers
    properties: Properties


class Body(msgspec.Struct, array_like=True):
    """A task's arguments, and what Celery should do afterwards, which is not used here."""

    args: list[Argument]
    kwargs: dict[str, Argument]
    embedded: dict[str, None] = {}


def accepted(raw: object) -> dict[str, Any]:
    """Return a new message with the known fields of this one. Raises ValueError if it is of another kind."""
    message = msgspec.convert(raw, Message)
    body = msgspec.json.decode(base64.b64decode(message.body, validate=True), type=Body)
    message.properties.delivery_tag = str(uuid.uuid4())
    message.body = base64.b64encode(msgspec.json.encode(body)).decode()
    built: dict[str, Any] = msgspec.to_builtins(message)
    return built


class QoS(redis.QoS):
    """Forgets a message that is done, even if Redis cannot be told.

    Otherwise it would count for ever among those that a worker has at a time. A worker whose Redis went away while it
    was as busy as it may be would take no message ever again, and not even notice that it has lost its connection.
    """

    def ack(self, delivery_tag: str) -> None:
        try:
            super().ack(delivery_tag)
        except BaseException:
            virtual.QoS.ack(self, delivery_tag)
            raise

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        try:
            super().reject(delivery_tag, requeue)
        except BaseException:
            virtual.QoS.ack(self, delivery_tag)
            raise


class Channel(redis.Channel):
    """A channel that survives messages that it cannot read."""

    QoS = QoS

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except UNUSABLE as error:
            text = "a message was dropped, because this index sends no such messages: %.200r"
            logger.warning(text, error, extra={"action": "message_dropped"})
            return None


class Transport(redis.Transport):
    """Celery's way to Redis, without messages of other kinds."""

    Channel = Channel

    def _deliver(self, message: object, queue: str) -> None:
        is_ours = queue in (settings.CELERY_TASK_DEFAULT_QUEUE, URGENT_QUEUE, ALERTS_QUEUE, APPRISE_QUEUE)
        super()._deliver(accepted(message) if is_ours else message, queue)


def use() -> None:
    """Let Celery use this transport for every address of Redis."""
    TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), f"{__name__}:{Transport.__name__}"))
