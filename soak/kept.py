"""Storms that once found something. Every soak begins with them."""

from collections.abc import Sequence

KEPT: Sequence[str] = ()
"""Names of storms, `SEED.NUMBER`. Whoever changes what storms are drawn from changes what these names mean."""
