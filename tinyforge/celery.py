"""The Celery application: worker, beat and the boot pass."""

import os
import signal
from typing import Any, NoReturn

from celery import Celery
from celery.signals import beat_init, task_prerun, worker_ready
from django.db import close_old_connections

from tinyforge import broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tinyforge.settings")

broker.use()
app = Celery("tinyforge")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@task_prerun.connect
def check_connections(**_: Any) -> None:
    """Close a database connection that is too old or broken, as Django does before each request."""
    close_old_connections()


@worker_ready.connect
def fire_boot_pass(**_: Any) -> None:
    """Ask for the boot pass as soon as a worker can make it; the signal is sent once for each worker."""
    app.send_task("reconcile", kwargs={"trigger": "boot"})


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
