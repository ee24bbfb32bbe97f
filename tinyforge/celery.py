"""The Celery application: worker, beat and the boot pass."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tinyforge.settings")

app = Celery("tinyforge")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_ready.connect
def fire_boot_pass(**_: Any) -> None:
    """Enqueue the boot pass as soon as a worker can take it; the signal comes once per worker."""
    app.send_task("reconcile", kwargs={"trigger": "boot"})
