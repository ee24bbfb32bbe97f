"""What PostgreSQL has counted: it plans by that, and earlier tests have left their rows in it."""

from django.db import connection

TABLES = "alerts_channel, alerts_incident, reconciler_workload, reconciler_instance, reconciler_transition"


def forget_what_was_counted() -> None:
    """Let PostgreSQL know no more of the tables than on a new machine; rows in them are lost. SQLite counts nothing."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {TABLES} CASCADE")
        cursor.execute("DELETE FROM pg_statistic WHERE starelid::regclass::text ~ '^(alerts|reconciler)_'")
