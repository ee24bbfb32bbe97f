"""How Django is to use the database that DATABASE_URL names."""

from typing import Any

import dj_database_url

from reconciler.core.engine_url import without_password
from tinyforge.env import wrong

SQLITE_OPTIONS = {
    # begun IMMEDIATE, transactions serialise writers: SQLite has no SELECT FOR UPDATE
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}
# every call to the outside has a bound: a server that has vanished must not hold a pass and its lock for ever
POSTGRES_OPTIONS = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
    # a process that is stopped amid a transaction must not keep all others from the feed
    "options": "-c statement_timeout=30s -c lock_timeout=10s -c idle_in_transaction_session_timeout=20s",
}


def database(url: str, *, pool: int) -> dict[str, Any]:
    """Return Django's settings for a database; if `pool` is not 0, a process has at most so many connections."""
    try:
        parsed: dict[str, Any] = {**dj_database_url.parse(url)}
    except (ValueError, dj_database_url.ParseError):
        raise wrong("DATABASE_URL", without_password(url), "a database URL") from None
    options = parsed.setdefault("OPTIONS", {})
    if parsed["ENGINE"].endswith("sqlite3"):
        options.update(SQLITE_OPTIONS)
        return parsed
    parsed.update(ENGINE="tinyforge.postgres", CONN_MAX_AGE=60, CONN_HEALTH_CHECKS=True)
    options.update(POSTGRES_OPTIONS)
    if pool:
        from tinyforge.postgres.connection import BoundedConnection

        # many threads share few connections; each is checked before it is lent
        parsed["CONN_MAX_AGE"] = 0
        options["pool"] = {"min_size": 1, "max_size": pool, "timeout": 5, "connection_class": BoundedConnection}
    return parsed
