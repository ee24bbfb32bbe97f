"""The Celery application: worker, beat and the boot pass."""

import logging
import os
import signal
import threading
import time
from typing import Any, NoReturn

from celery import Celery
from celery.signals import beat_init, task_prerun, worker_ready
from django.conf import settings
from django.db import close_old_connections
from kombu.exceptions import OperationalError

from tinyforge import broker, last_resort
from tinyforge.schedule import ALERTS_QUEUE

logger = logging.getLogger(__name__)
JUDGE_ANYHOW_SECONDS = 30.0

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tinyforge.settings")

broker.use()
last_resort.use()
app = Celery("tinyforge")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@task_prerun.connect
def check_connections(**_: Any) -> None:
    """Close a database connection that is too old or broken, as Django does before each request."""
    close_old_connections()


@worker_ready.connect
def fire_boot_pass(sender: Any, **_: Any) -> None:
    """Ask for the boot pass as soon as a worker can make it; the signal is sent once for each worker."""
    if settings.CELERY_TASK_DEFAULT_QUEUE in sender.app.amqp.queues.consume_from:
        app.send_task("reconcile", kwargs={"trigger": "boot"})


@worker_ready.connect
def judge_without_beat(sender: Any, **_: Any) -> None:
    """Let the worker of alerts judge and tell without beat as well, so that people hear of it if beat has stopped."""
    if ALERTS_QUEUE in sender.app.amqp.queues.consume_from:
        threading.Thread(target=_ask_the_judge, daemon=True).start()


def _ask_the_judge() -> NoReturn:
    while True:
        time.sleep(JUDGE_ANYHOW_SECONDS)
        ask_the_judge()


def ask_the_judge() -> None:
    """Ask for one look of the judge, and for what is to be told. No error ends the asking: the next one is in time."""
    of_it = {"queue": ALERTS_QUEUE, "expires": JUDGE_ANYHOW_SECONDS}
    try:
        app.send_task("judge_incidents", kwargs={"by": "worker"}, **of_it)
        app.send_task("tell_people", **of_it)
    except OperationalError:
        # Redis does not answer, which is said elsewhere
        return
    except Exception:
        logger.exception("the judge could not be asked for a look", extra={"action": "judge_not_asked"})


@beat_init.connect
def end_beat_for_certain(sender: Any, **_: Any) -> None:
    """Make beat end when it is told to, even while it sends a tick.

    Celery's own handler only raises SystemExit. If the signal comes while redis-py waits for an answer, another
    exception takes its place; beat logs that one and goes on for ever.
    """

    def end(*_: object) -> NoReturn:
        sender.stop()
        raise SystemExit

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
