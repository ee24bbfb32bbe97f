"""What PostgreSQL has counted: it plans by that, and earlier tests have left their rows in it."""

from django.db import connection

from alerts.models import Channel, Delivery, Incident
from reconciler.models import Container, Instance, Transition, Workload

MODELS = (Channel, Incident, Delivery, Workload, Instance, Container, Transition)
TABLES = ", ".join(model._meta.db_table for model in MODELS)


def forget_what_was_counted() -> None:
    """Let PostgreSQL know no more of the tables than on a new machine; rows in them are lost. SQLite counts nothing."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {TABLES} CASCADE")
        cursor.execute("DELETE FROM pg_statistic WHERE starelid::regclass::text ~ '^(alerts|reconciler)_'")


def count_all() -> None:
    """Let PostgreSQL count the tables as they are in this transaction."""
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {TABLES}")
