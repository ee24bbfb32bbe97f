"""The last resort against a task that hangs although every wait has an end: its worker ends itself.

Celery's time limits end a process of the pool `prefork`. A thread cannot be ended, so the whole worker ends here, and
whoever supervises it starts it again. The other passes under way are lost with it, and the next tick makes them.
"""

import logging
import os
import threading
import time
from typing import Any

from celery import Task
from celery.concurrency.thread import TaskPool
from celery.signals import task_postrun, task_prerun, worker_ready

logger = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
HUNG_STATUS = 70

_limits: dict[str, tuple[str, float]] = {}
"""By the id of each task under way: its name, and until when it may take, by the monotonic clock."""


def use() -> None:
    """Let every worker with threads keep the time limits of its tasks."""
    task_prerun.connect(_note_begin)
    task_postrun.connect(_note_end)
    worker_ready.connect(_watch_over_threads)


def _note_begin(task_id: str, task: Task[..., Any], **_: Any) -> None:
    if task.time_limit is not None:
        _limits[task_id] = (task.name, time.monotonic() + task.time_limit)


def _note_end(task_id: str, **_: Any) -> None:
    _limits.pop(task_id, None)


def _watch_over_threads(sender: Any, **_: Any) -> None:
    if isinstance(sender.pool, TaskPool):
        threading.Thread(target=_end_when_one_hangs, name="last-resort", daemon=True).start()


def _end_when_one_hangs() -> None:
    while not (hung := _hung_tasks()):
        time.sleep(LOOK_SECONDS)
    text = "%s took longer than its time limit; this worker ends, because it cannot end a thread of its own"
    logger.critical(text, ", ".join(hung), extra={"action": "worker_hung"})
    os._exit(HUNG_STATUS)


def _hung_tasks() -> list[str]:
    now = time.monotonic()
    # a copy, because other threads change it
    return sorted(name for name, until in list(_limits.values()) if now > until)
