"""I/O: sends the messages of a channel that are due, one after the other, and notes what came of each.

A worker that dies at any step leaves a message that another worker sends later, under the same id (I18).
"""

import logging
import random
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction

from alerts.core.retries import is_dead, pause
from alerts.models import Channel, DeliveryState, Message, MessageState
from alerts.models.channel import ChannelQuerySet
from alerts.models.delivery import MessageQuerySet
from alerts.sealing import CannotOpen
from alerts.sending.bundling import attach, drop_what_nobody_was_told, of_what_is_over, standing
from alerts.sending.composing import compose
from alerts.sending.errors import NotSent
from alerts.sending.muting import muted
from alerts.sending.transmitting import transmit

logger = logging.getLogger(__name__)

MOST_IN_A_TURN = 20
LONGEST_TURN = timedelta(seconds=45)
"""After this nothing more is begun, so that a turn ends well within Channel's TURN."""


def channels_with_work(at: datetime) -> ChannelQuerySet:
    """Return the channels in which a message is due, and nobody sends now."""
    return Channel.objects.free(at).filter(pk__in=Message.objects.due(at).values("channel"))


def take_turn(channel: int, clock: Callable[[], datetime]) -> None:
    """Send what is due in a channel, until something fails; nothing if somebody else sends in it now."""
    began = clock()
    if not Channel.objects.take(channel, began):
        return
    try:
        due = Message.objects.due(began).filter(channel=channel).order_by("next_attempt_at")
        for pk in list(due.values_list("pk", flat=True)[:MOST_IN_A_TURN]):
            message = Message.objects.claim(pk, clock())
            if message and not send(message, clock):
                return
            if clock() - began >= LONGEST_TURN:
                return
    finally:
        Channel.objects.filter(pk=channel).update(taken_until=None)


def send(message: Message, clock: Callable[[], datetime]) -> bool:
    """Send a message that was claimed, and note what came of it; return whether the channel works."""
    if not _has_something_to_say(message, clock()):
        _ours(message).update(state=MessageState.DROPPED, claimed_until=None)
        return True
    if error := _transmitted(message, clock()):
        _note_failure(message, error, clock())
        return False
    _note_success(message, clock())
    return True


def _transmitted(message: Message, at: datetime) -> NotSent | None:
    """Send a message; return why it was not sent, if it was not."""
    try:
        transmit(message.channel, compose(message, at), at)
    except NotSent as error:
        return error
    except CannotOpen as error:
        return NotSent(str(error), is_certain=True)
    except Exception as error:  # noqa: BLE001 - one message must not be in the way of all others
        # its text may hold a secret
        return NotSent(f"an error of ours: {type(error).__name__}", is_certain=False)
    return None


def _ours(message: Message) -> MessageQuerySet:
    """Return the message while the claim on it is ours: if it took too long, somebody else may send it now."""
    return Message.objects.filter(pk=message.pk, state=MessageState.PENDING, claimed_until=message.claimed_until)


def _has_something_to_say(message: Message, at: datetime) -> bool:
    """Bring a message up to date, if it was certainly not sent yet; tell whether anything is left to say.

    One that may have been sent keeps what it tells: whoever was told of a beginning is told of its end.
    """
    if message.is_test:
        return True
    deliveries = message.deliveries
    if not message.is_unsure:
        of_what_is_over(deliveries.all()).update(state=DeliveryState.DROPPED, message=None)
        deliveries.filter(incident__in=muted(at)).update(message=None)
        drop_what_nobody_was_told()
        attach(message, at)
    return deliveries.exists() or (message.is_repeat and standing(at).of_group(message).exists())


def _note_success(message: Message, at: datetime) -> None:
    with transaction.atomic():
        if not _ours(message).update(state=MessageState.SENT, sent_at=at, claimed_until=None, problem=""):
            return
        message.deliveries.update(state=DeliveryState.SENT)
        Channel.objects.filter(pk=message.channel_id).update(sent_at=at, problem="", not_before=None)
    logger.info("message %s was sent to channel %s", message.pk, message.channel, extra={"action": "alert_sent"})


def _note_failure(message: Message, error: NotSent, at: datetime) -> None:
    channel, attempts, problem = message.channel, message.attempts, str(error)[:500]
    dead = error.is_gone or is_dead(attempts, at - message.made_at, channel.given_up_after)
    again_at = at + pause(attempts, random.random(), error.retry_after)  # noqa: S311 - no secret
    with transaction.atomic():
        if not _ours(message).update(
            state=MessageState.DEAD if dead else MessageState.PENDING,
            next_attempt_at=again_at,
            claimed_until=None,
            is_unsure=message.is_unsure or not error.is_certain,
            problem=problem,
        ):
            return
        if dead:
            message.deliveries.filter(state=DeliveryState.WAITING).update(state=DeliveryState.DEAD)
        waits = {"not_before": again_at} if error.retry_after else {}
        off = {"is_enabled": False} if error.is_gone else {}
        Channel.objects.filter(pk=channel.pk).update(problem=problem, **waits, **off)
    what = "was given up" if dead else f"will be tried again in {(again_at - at).total_seconds():.0f} s"
    logger.warning(
        "channel %s: %s; message %s %s", channel, problem, message.pk, what, extra={"action": "alert_failed"}
    )
