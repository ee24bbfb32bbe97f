"""Whether this process can do its work, for `/readyz` and `manage.py status`."""

from datetime import datetime, timedelta
from enum import StrEnum

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Q

from reconciler.exceptions import LockUnavailable
from reconciler.lock import connect, ping
from reconciler.models import Host
from reconciler.models.host import latest_believed, stale_after


class Shortfall(StrEnum):
    """What is not working: names for people and programs, without details that strangers should not read."""

    DATABASE = "database"
    MIGRATIONS = "migrations"
    REDIS = "redis"
    HOSTS = "hosts"


SHORTFALL_WORDS = {
    Shortfall.DATABASE: "the database does not answer",
    Shortfall.MIGRATIONS: "migrations are not applied: run `manage.py migrate`",
    Shortfall.REDIS: "Redis does not answer",
    Shortfall.HOSTS: "enabled hosts are not looked at: do workers and beat run?",
}


def shortfalls(at: datetime) -> list[Shortfall]:
    """Return what is not working, the worst first; nothing if all is well.

    A host that fails is not a shortfall of ours, because it is looked at. It is one if nobody has tried to look at
    a host within three intervals.
    """
    found = [] if _redis_answers() else [Shortfall.REDIS]
    try:
        if _lacks_migrations():
            return [Shortfall.MIGRATIONS, *found]
        return [*found, Shortfall.HOSTS] if neglected_hosts(at) else found
    except DatabaseError:
        return [Shortfall.DATABASE, *found]


def neglected_hosts(at: datetime) -> list[str]:
    """Return the enabled hosts that nobody has looked at within three intervals, and that wait for no later try.

    A moment that lies too far ahead was noted by a clock that was wrong, and so does not count.
    """
    oldest = at - stale_after()
    looked_at = Q(last_attempt_at__range=(oldest, latest_believed(at)))
    waits = Q(retry_at__range=(oldest, at + timedelta(seconds=settings.LONGEST_BACKOFF)))
    hosts = Host.objects.filter(enabled=True).exclude(looked_at).exclude(waits)
    return list(hosts.values_list("name", flat=True))


def unfollowed_hosts(at: datetime) -> list[str]:
    """Return the enabled hosts that answer, if no living watcher follows any of them; none if one follows some."""
    answering = [host for host in Host.objects.filter(enabled=True) if host.can_be_asked(at)]
    return [] if any(host.is_watched(at) for host in answering) else sorted(host.name for host in answering)


def _lacks_migrations() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _redis_answers() -> bool:
    try:
        ping(connect(settings.REDIS_URL))
    except LockUnavailable:
        return False
    return True
