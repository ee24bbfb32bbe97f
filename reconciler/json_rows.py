"""I/O: many rows as one JSON text, because SQLite takes three times as long to hand out column after column."""

from collections.abc import Iterable

NO_ROWS = "[]"
"""What stands for the null that PostgreSQL's aggregate is if there are no rows."""


def json_array_sql(columns: Iterable[str], vendor: str) -> str:
    """Return the SQL of a JSON array of these columns."""
    return f"{'json_array' if vendor == 'sqlite' else 'json_build_array'}({', '.join(columns)})"


def json_rows_sql(columns: Iterable[str], vendor: str) -> str:
    """Return the SQL of an aggregate: all rows as a JSON text that holds an array of these columns for each."""
    array = json_array_sql(columns, vendor)
    # as text, because what psycopg makes of JSON takes longer to make
    return f"json_group_array({array})" if vendor == "sqlite" else f"CAST(json_agg({array}) AS text)"
