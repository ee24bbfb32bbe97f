"""Columns as the API serves them: the database makes the texts, so that Python has not to make an object for each."""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Func, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, NullIf
from django.db.models.sql.compiler import SQLCompiler

PENDING = "pending"


class AsText(Func):
    """A moment as the API writes it, such as 2026-11-24T22:14:28.5Z, whatever the settings of the database are."""

    arity = 1
    output_field = TextField()

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **more: Any) -> Any:
        """Return the SQL: Django stores moments as texts, in UTC."""
        return self.as_sql(compiler, connection, template="REPLACE(%(expressions)s, ' ', 'T') || 'Z'", **more)

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **more: Any) -> Any:
        """Return the SQL: JSON's form does not depend on DateStyle, as a cast would, and is quicker than to_char."""
        template = "(TO_JSON(%(expressions)s AT TIME ZONE 'UTC') #>> '{}') || 'Z'"
        return self.as_sql(compiler, connection, template=template, **more)


def state_text(column: str) -> Combinable:
    """Return a column with a state as the API writes it: no state is `pending`."""
    return Coalesce(NullIf(F(column), Value("")), Value(PENDING))


def stored_states(texts: tuple[str, ...]) -> list[str]:
    """Return the states that a reader names, as they are stored."""
    return ["" if text == PENDING else text for text in texts]
