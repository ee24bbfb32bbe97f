"""I/O: tells somebody outside that the index works, so that he notices when it does not.

Beat asks for it, and a worker of alerts does it. So no word goes out if either of them has stopped.
"""

import logging
from datetime import datetime, timedelta

from django.conf import settings

from alerts.models import Judge
from alerts.outbox import nobody_tells
from alerts.sending.errors import NotSent
from alerts.sending.webhook import post
from reconciler.readiness import neglected_hosts, unfollowed_hosts

logger = logging.getLogger(__name__)
JUDGE_SILENT_AFTER = timedelta(seconds=60)
"""The judge looks every ten seconds. For so long a worker of alerts may be held up without a word."""


def tell_outside(at: datetime) -> bool:
    """Ask for HEARTBEAT_URL, unless something of the index does not do its work; return whether that was done."""
    if not settings.HEARTBEAT_URL:
        return False
    if problem := what_stands_still(at):
        logger.warning("no heartbeat is sent: %s", problem, extra={"action": "heartbeat_withheld"})
        return False
    try:
        post(settings.HEARTBEAT_URL, b"", {}, None)
    except NotSent as error:
        logger.warning("the heartbeat was not taken: %s", error, extra={"action": "heartbeat_failed"})
        return False
    return True


def what_stands_still(at: datetime) -> str:
    """Return in words what of the index does not do its work; empty if all does."""
    if neglected := neglected_hosts(at):
        return f"no worker looks at {len(neglected)} of the hosts"
    if unfollowed_hosts(at):
        return "no watcher follows the events of the hosts"
    judge = Judge.of_this_database()
    if judge.judged_at is None or not timedelta() <= at - judge.judged_at <= JUDGE_SILENT_AFTER:
        return "nobody judges what is wrong: no look of the judge has ended within a minute"
    if nobody_tells(at, judge.told_at):
        return "nobody puts into messages what is to be told: that has not been done without an error within a minute"
    return ""
