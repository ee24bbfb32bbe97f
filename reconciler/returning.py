"""I/O: one statement that changes a host's row and says what the row holds then, on SQLite and PostgreSQL.

Django has no UPDATE … RETURNING.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache
from typing import Any

from django.db import connection
from django.db.models.functions import Now

from reconciler.models import Host

Converter = Callable[[Any], Any]


def adapted(moment: datetime) -> object:
    """Return a moment as the database takes it for a parameter."""
    return connection.ops.adapt_datetimefield_value(moment)


def update_host(name: str, change: str, params: Iterable[Any], columns: tuple[str, ...]) -> tuple[Any, ...] | None:
    """Change a host's row; return the time by the database's clock and these columns, or None if there is no such host.

    `change` is what stands after SET. The statement locks the row, so what it returns belongs to this very change.
    """
    sql, converters = _prepared(connection.vendor, change, columns)
    with connection.cursor() as cursor:
        cursor.execute(sql, (*params, name))
        # to the last row: before that SQLite does not end the statement
        found = cursor.fetchall()
    return tuple(convert(value) for convert, value in zip(converters, found[0], strict=True)) if found else None


@cache
def _prepared(_vendor: str, change: str, columns: tuple[str, ...]) -> tuple[str, tuple[Converter, ...]]:
    """Return the SQL, and what makes of a column's value what Django makes of it."""
    table = Host._meta.db_table
    compiler = Host.objects.all().query.get_compiler("default")
    fields: list[Any] = [Host._meta.get_field(name) for name in columns]
    expressions = [Now(), *(field.get_col(table) for field in fields)]
    told = ", ".join(compiler.compile(each)[0] for each in expressions)
    sql = " ".join(["UPDATE", table, "SET", change, "WHERE name = %s RETURNING", told])
    return sql, tuple(map(_converter, expressions))


def _converter(expression: Any) -> Converter:
    steps = [*connection.ops.get_db_converters(expression), *expression.get_db_converters(connection)]

    def convert(value: Any) -> Any:
        for step in steps:
            value = step(value, expression, connection)
        return value

    return convert
