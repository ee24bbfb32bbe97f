"""Durations as people write them on a command line or in a request: 90d, 12h, 10m, 30s."""

import re
from datetime import timedelta

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION = re.compile(r"(\d{1,6})([smhd])", re.ASCII)


def read_duration(text: str) -> timedelta:
    """Return the duration that a text names. Raises ValueError, which says what is allowed."""
    found = _DURATION.fullmatch(text.strip())
    if not found or not int(found[1]):
        raise ValueError(f"{text!r} is no duration; allowed: a number with its unit, such as 90d, 12h, 10m or 30s")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
