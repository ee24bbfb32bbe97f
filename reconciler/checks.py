"""System checks of the app's settings."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as CheckWarning

from reconciler.conf import longest_pass_seconds
from reconciler.single_flight import LONGEST_FLIGHT_SECONDS


@register()
def check_settings(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Report settings that are allowed one by one, but do not fit together or cannot work."""
    return [*_database(), *_engine(), *_lock(), *_time_limit()]


def _database() -> list[CheckMessage]:
    """Refuse SQLite transactions that do not begin IMMEDIATE."""
    default = settings.DATABASES["default"]
    is_sqlite = default["ENGINE"].endswith("sqlite3")
    if not is_sqlite or default.get("OPTIONS", {}).get("transaction_mode") == "IMMEDIATE":
        return []
    return [
        Error(
            "SQLite transactions do not begin IMMEDIATE, so overlapping passes are not fenced.",
            hint='Set DATABASES["default"]["OPTIONS"]["transaction_mode"] = "IMMEDIATE".',
            id="reconciler.E001",
        )
    ]


def _engine() -> list[CheckMessage]:
    """Report absent TLS files, and an interval that is too short."""
    messages: list[CheckMessage] = []
    missing = [str(path) for path in (settings.DOCKER_TLS or {}).values() if not path.is_file()]
    if missing:
        messages.append(
            Error(
                f"DOCKER_TLS_VERIFY is set, but there is no file {', '.join(missing)}.",
                hint="Set DOCKER_CERT_PATH to the directory that holds ca.pem, cert.pem and key.pem.",
                id="reconciler.E002",
            )
        )
    if settings.RECONCILE_INTERVAL < 1:
        messages.append(
            CheckWarning(
                f"RECONCILE_INTERVAL is {settings.RECONCILE_INTERVAL:g} s: less than a second between ticks.",
                hint="A tick only backs up what asks for passes at once; 30 s is the default.",
                id="reconciler.W001",
            )
        )
    return messages


def _lock() -> list[CheckMessage]:
    """Warn about a lock that may expire while a pass waits for an Engine."""
    if settings.LOCK_TTL > settings.ENGINE_TIMEOUT:
        return []
    return [
        CheckWarning(
            f"LOCK_TTL ({settings.LOCK_TTL:g} s) is not longer than ENGINE_TIMEOUT ({settings.ENGINE_TIMEOUT:g} s).",
            hint="A pass that waits for a slow Engine could lose its lock to another, and be made in vain.",
            id="reconciler.W002",
        )
    ]


def _time_limit() -> list[CheckMessage]:
    """Refuse a time limit shorter than a pass: a worker that is killed in a pass notes nothing, and is hung again."""
    own = getattr(settings, "CELERY_TASK_ANNOTATIONS", {}).get("reconcile_host", {})
    limit = own.get("time_limit", settings.CELERY_TASK_TIME_LIMIT)
    longest = LONGEST_FLIGHT_SECONDS + longest_pass_seconds()
    if limit is None or limit > longest:
        return []
    return [
        Error(
            f"Celery kills a pass after {limit:g} s, but a host may take up to {longest:g} s to fail.",
            hint="Raise the time limit of reconcile_host in CELERY_TASK_ANNOTATIONS, or lower ENGINE_TIMEOUT.",
            id="reconciler.E003",
        )
    ]
