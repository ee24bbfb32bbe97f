"""Thin layers for Celery. They run in the queue `alerts`, so that they never take a pass's place."""

import logging

from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.utils import timezone

from alerts.heartbeat import tell_outside
from alerts.judging import judge_now
from alerts.models import ChannelKind, Judge
from alerts.pruning import prune_told
from alerts.sending.bundling import bundle
from alerts.sending.turns import channels_with_work, take_turn
from tinyforge.schedule import ALERTS_QUEUE, APPRISE_QUEUE, TELL_SECONDS

logger = logging.getLogger(__name__)

LONGEST_SECONDS = 120
"""A turn ends by itself long before; this ends one that hangs although every step has a bound."""


@shared_task(name="judge_incidents")
def judge_incidents(by: str = "beat") -> None:
    """Take one look at what the index says, and open, fire and resolve incidents."""
    judged = judge_now(timezone.now(), by_beat=by == "beat")
    is_news = judged.fired or judged.resolved
    logger.log(logging.INFO if is_news else logging.DEBUG, "incidents: %s", judged, extra={"action": "judged"})


@shared_task(name="tell_people")
def tell_people() -> None:
    """Put into messages what is to be told now, and let workers send what is due."""
    now = timezone.now()
    bundle(now)
    for pk, kind in channels_with_work(now).values_list("pk", "kind"):
        queue = APPRISE_QUEUE if kind == ChannelKind.APPRISE else ALERTS_QUEUE
        send_in_channel.apply_async((pk,), queue=queue, expires=TELL_SECONDS)
    # last: if anything of this always fails, the judge and whoever listens to the heartbeat notice
    Judge.note_told(now)


@shared_task(name="send_in_channel", soft_time_limit=LONGEST_SECONDS, time_limit=LONGEST_SECONDS + 30)
def send_in_channel(channel: int) -> None:
    """Send what is due in one channel. What is under way when the time is up is sent again after its lease."""
    try:
        take_turn(channel, timezone.now)
    except SoftTimeLimitExceeded:
        logger.warning("sending in channel %d took too long", channel, extra={"action": "alert_hung"})


@shared_task(name="heartbeat")
def heartbeat() -> None:
    """Tell somebody outside that the index works, if it does."""
    tell_outside(timezone.now())


@shared_task(name="prune_told")
def prune_old() -> None:
    """Delete what was told and is over for longer than history is kept."""
    deleted = prune_told(timezone.now())
    logger.info("pruned: %d incidents, messages and silences", deleted, extra={"action": "pruned"})
