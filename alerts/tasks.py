"""Thin layers for Celery. They run in the queue `alerts`, so that they never take a pass's place."""

import logging

from celery import shared_task
from django.utils import timezone

from alerts.judging import judge_now

logger = logging.getLogger(__name__)


@shared_task(name="judge_incidents")
def judge_incidents(by: str = "beat") -> None:
    """Take one look at what the index says, and open, fire and resolve incidents."""
    judged = judge_now(timezone.now(), by_beat=by == "beat")
    is_news = judged.fired or judged.resolved
    logger.log(logging.INFO if is_news else logging.DEBUG, "incidents: %s", judged, extra={"action": "judged"})
