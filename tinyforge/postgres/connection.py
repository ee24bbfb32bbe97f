"""A connection that waits for PostgreSQL with a bound, also where TCP lives and the server behind it does not.

The server ends a statement that takes too long, and TCP gives up a peer that acknowledges nothing. Neither helps if
something between the two, such as a proxy, takes what is sent and never answers: libpq would wait for ever.
"""

from typing import Any

import psycopg
from psycopg.errors import _WaitTimeout

ANSWER_SECONDS = 35.0
"""Longer than any statement may take: statement_timeout in tinyforge/database.py."""
WAKE_SECONDS = 0.1


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that is given up if an answer takes too long; `answer_seconds` of None waits for ever."""

    answer_seconds: float | None = ANSWER_SECONDS

    def wait(self, gen: Any, interval: float = WAKE_SECONDS, timeout: float | None = None) -> Any:
        """Wait for an answer; raise OperationalError and close the connection if none comes in time."""
        bound = self.answer_seconds if timeout is None else timeout
        try:
            return super().wait(gen, interval, bound)
        except _WaitTimeout as error:
            if timeout is not None:
                raise
            self.pgconn.finish()
            raise psycopg.OperationalError(f"the server sent nothing for {bound:g} s") from error
