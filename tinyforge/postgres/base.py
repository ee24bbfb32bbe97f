"""Django's backend for PostgreSQL, with connections that do not wait for ever."""

from types import ModuleType

import psycopg
from django.db.backends.postgresql import base

from tinyforge.postgres.connection import BoundedConnection

_psycopg = ModuleType(psycopg.__name__)
vars(_psycopg).update(vars(psycopg), connect=BoundedConnection.connect)


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's own, with bounded connections."""

    Database = _psycopg
