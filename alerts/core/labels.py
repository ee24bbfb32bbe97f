"""What the labels of a container say about alerts: `tinyforge.alerts=off`, `tinyforge.alerts.exit=137,143`.

The index keeps them in one column of a row: `off`, or the exit codes with commas between them. Pure.
"""

from functools import lru_cache

from alerts.core.rules import HARMLESS_EXITS

OFF = "off"


def is_off(told: str) -> bool:
    """Tell whether nobody wants to be told of a row."""
    return told == OFF


@lru_cache(1_024)
def harmless_exits(told: str) -> frozenset[int]:
    """Return the exit codes that are nothing to tell of for a row with this label; what is no number is left out."""
    codes = (part.strip() for part in told.split(","))
    return HARMLESS_EXITS | {int(code) for code in codes if code.isascii() and code.isdigit() and len(code) <= 10}
