"""What beat asks for, and when."""

from typing import Any

from celery.schedules import crontab


def schedule(interval_seconds: float) -> dict[str, dict[str, Any]]:
    """Return Celery's beat schedule, with a tick every interval."""
    return {
        "reconcile": {
            "task": "reconcile",
            "schedule": interval_seconds,
            "kwargs": {"trigger": "tick"},
            # a tick that is not consumed before the next one is of no use
            "options": {"expires": interval_seconds},
        },
        # at a time of day: an interval would begin again whenever beat is restarted
        "prune": {"task": "prune", "schedule": crontab(hour=3, minute=30), "options": {"expires": 3600}},
    }
