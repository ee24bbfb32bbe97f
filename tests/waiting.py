"""One way to wait in tests: for a fact, with a bound that a busy machine keeps."""

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")
WAIT_SECONDS = 120.0
POLL_SECONDS = 0.02


def eventually(condition: Callable[[], T], *, what: str = "", seconds: float = WAIT_SECONDS) -> T:
    """Wait until a condition holds and return its value; fail with the last value if it never does."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:g} s: {what or condition}; the last answer was {value!r}")
        time.sleep(POLL_SECONDS)
    return value
