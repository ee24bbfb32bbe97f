"""I/O: lets PostgreSQL count a table after a mass of rows.

It plans by what it has counted, and by itself it counts only a minute later. Until then it may compare all with all,
and run into the limit of time for a statement.
"""

from django.db import connection, models

MASS_ROWS = 1_000
"""From so many rows on, a plan for a few of them is too slow, and counting takes little beside writing them."""


def count_after_mass(model: type[models.Model], rows: int) -> None:
    """Count the model's table anew if so many rows of it were written that what is known of it is no longer true.

    It waits for nobody: if somebody else counts the table now, this does nothing. SQLite plans without counting.
    """
    if rows >= MASS_ROWS and connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE (SKIP_LOCKED) {connection.ops.quote_name(model._meta.db_table)}")
