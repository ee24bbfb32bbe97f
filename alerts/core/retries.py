"""When a message that could not be sent is tried again, and when it is given up. Pure: the caller draws the number."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(hours=2)
LONGEST_RETRY_AFTER = timedelta(days=1)
"""Whoever asks us to wait longer than this is asked again after this."""
FEWEST_ATTEMPTS = 10
"""A message is tried at least so often, so that neither a clock that jumps nor a worker that rests gives it up."""


def pause(attempts: int, draw: float, retry_after: timedelta | None = None) -> timedelta:
    """Return how long to wait after a number of attempts: it doubles from 5 s to 2 h, and is never below `retry_after`.

    `draw` is a random number from 0 to 1: it makes the pause anything from half of that to the whole, so that messages
    which failed together are not all tried again together.
    """
    doubled = FIRST_PAUSE * 2.0 ** min(max(attempts, 1) - 1, 16)
    own = min(doubled, LONGEST_PAUSE) * ((1 + draw) / 2)
    return max(own, min(retry_after, LONGEST_RETRY_AFTER)) if retry_after else own


def is_dead(attempts: int, age: timedelta, given_up_after: timedelta) -> bool:
    """Tell whether a message that has just failed is given up."""
    return attempts >= FEWEST_ATTEMPTS and age >= given_up_after


def retry_after_of(header: str, at: datetime) -> timedelta | None:
    """Return how long a receiver asks us to wait: it gives seconds, or a date. None if it says neither."""
    text = header.strip()
    if text.isascii() and text.isdecimal():
        return timedelta(seconds=min(int(text[:9]), 999_999))
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):
        return None
    return max(until.replace(tzinfo=until.tzinfo or UTC) - at, timedelta())
