"""What beat asks for, and when."""

from typing import Any

from celery.schedules import crontab

URGENT_QUEUE = "urgent"
"""What an event or a person asks for has a queue and workers of its own, so that it never waits for a round."""
ALERTS_QUEUE = "alerts"
"""What judges and tells has a queue and workers of its own, so that it never takes a pass's place."""
APPRISE_QUEUE = "apprise"
"""What sends through apprise takes seconds and much memory, so it has a queue and workers of its own, too."""
JUDGE_SECONDS = 10.0
TELL_SECONDS = 10.0
HEARTBEAT_SECONDS = 60.0


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
        "judge_incidents": {
            "task": "judge_incidents",
            "schedule": JUDGE_SECONDS,
            "options": {"queue": ALERTS_QUEUE, "expires": JUDGE_SECONDS},
        },
        "tell_people": {
            "task": "tell_people",
            "schedule": TELL_SECONDS,
            "options": {"queue": ALERTS_QUEUE, "expires": TELL_SECONDS},
        },
        "heartbeat": {
            "task": "heartbeat",
            "schedule": HEARTBEAT_SECONDS,
            "options": {"queue": ALERTS_QUEUE, "expires": HEARTBEAT_SECONDS},
        },
        # at a time of day: an interval would begin again whenever beat is restarted
        "prune_told": {
            "task": "prune_told",
            "schedule": crontab(hour=3, minute=40),
            "options": {"queue": ALERTS_QUEUE, "expires": 3600},
        },
        "prune": {"task": "prune", "schedule": crontab(hour=3, minute=30), "options": {"expires": 3600}},
    }
