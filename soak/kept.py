"""Storms that once found something. Every soak begins with them."""

from collections.abc import Sequence

KEPT: Sequence[str] = (
    # PostgreSQL is half open: its connections held workers for ten minutes
    "1.1",
    # Valkey is killed while workers are busy: they took no message ever again
    "2.4",
)
"""Names of storms, `SEED.NUMBER`. Whoever changes what storms are drawn from changes what these names mean."""
