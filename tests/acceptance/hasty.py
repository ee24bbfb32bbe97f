"""The index's Celery application, for which a pass hangs after two seconds."""

from tinyforge.celery import app

__all__ = ["app"]
app.conf.task_annotations = {"reconcile_host": {"time_limit": 2}}
