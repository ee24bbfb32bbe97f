"""The lookup `among`: like `in`, but with all values in one parameter, so that any number of them is one query."""

import json
from collections.abc import Iterable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, Lookup
from django.db.models.sql.compiler import SQLCompiler


def among(column: str, values: Iterable[str], vendor: str) -> tuple[str, object]:
    """Return the SQL that tells whether a column holds one of these values, and its only parameter."""
    if vendor == "sqlite":
        return " ".join([column, "IN (SELECT value FROM json_each(%s))"]), json.dumps(list(values))
    return f"{column} = ANY(%s)", list(values)


@CharField.register_lookup
class Among(Lookup):
    """`column__among=texts`, on SQLite and PostgreSQL."""

    lookup_name = "among"
    prepare_rhs = False

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[Any, ...]]:
        """Return the SQL that compares with the values of a JSON array."""
        column, params = self.process_lhs(compiler, connection)
        sql, values = among(column, self.rhs, "sqlite")
        return sql, (*params, values)

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[Any, ...]]:
        """Return the SQL that compares with an array."""
        column, params = self.process_lhs(compiler, connection)
        sql, values = among(column, self.rhs, "postgresql")
        return sql, (*params, values)
