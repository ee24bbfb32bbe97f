"""Celery's settings: its queues, its broker, and what beat asks for."""

import ssl
from typing import Any

from tinyforge import broker_address
from tinyforge.env import Env
from tinyforge.schedule import URGENT_QUEUE, schedule

PASSES = "reconcile"
"""The queue of rounds: a pass of every host, for a tick or a worker's boot."""


def celery(env: Env, redis_url: str, *, interval: float, engine_timeout: float) -> dict[str, Any]:
    """Return what Celery reads; times are in seconds."""
    over_tls = {"BROKER_USE_SSL": {"ssl_cert_reqs": ssl.CERT_REQUIRED}} if redis_url.startswith("rediss:") else {}
    chosen = {
        "BROKER_URL": broker_address.broker_url(redis_url),
        **over_tls,
        # a pass has to fail by its own time limits before; the check reconciler.E003 insists on that
        "TASK_ANNOTATIONS": {"reconcile_host": {"time_limit": 600 + 10 * engine_timeout}},
        # a pass mostly waits, and a host that hangs holds a thread for its timeout
        "WORKER_CONCURRENCY": env.whole("WORKER_CONCURRENCY", 16, least=1, most=256),
        "BEAT_SCHEDULE": schedule(interval),
    }
    return {f"CELERY_{name}": value for name, value in {**_DECIDED, **chosen}.items()}


_DECIDED: dict[str, Any] = {
    "BROKER_TRANSPORT_OPTIONS": broker_address.TRANSPORT_OPTIONS,
    "BROKER_CONNECTION_RETRY_ON_STARTUP": True,
    "BROKER_CONNECTION_MAX_RETRIES": None,
    "TASK_IGNORE_RESULT": True,
    "ACCEPT_CONTENT": ["json"],
    "TASK_SERIALIZER": "json",
    "TASK_ACKS_LATE": False,
    # the last resort against a call that hangs although it has a timeout of its own
    "TASK_TIME_LIMIT": 600,
    "TASK_DEFAULT_QUEUE": PASSES,
    # what a worker takes if it is told nothing else
    "TASK_QUEUES": {name: {"exchange": name, "routing_key": name} for name in (URGENT_QUEUE, PASSES)},
    "TASK_PUBLISH_RETRY": False,
    "WORKER_PREFETCH_MULTIPLIER": 1,
    # Celery would close the database connection around every task: a third of what a small pass costs. It is
    # checked before each instead, in tinyforge/celery.py
    "DB_REUSE_MAX": 1_000_000_000,
    "WORKER_HIJACK_ROOT_LOGGER": False,
    "WORKER_SEND_TASK_EVENTS": False,
    "TIMEZONE": "UTC",
    "BEAT_SCHEDULER": "celery.beat:Scheduler",
    "BEAT_MAX_LOOP_INTERVAL": 5,
    # nobody is to end a worker by a message
    "WORKER_ENABLE_REMOTE_CONTROL": False,
    "BEAT_ENABLE_REMOTE_CONTROL": False,
}
