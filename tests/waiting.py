"""One way to wait in tests: for a fact, with a bound that a busy machine keeps."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

T = TypeVar("T")
WAIT_SECONDS = 120.0
LATE_SECONDS = 20.0
POLL_SECONDS = 0.02


def eventually(condition: Callable[[], T | None], *, what: str = "", seconds: float = WAIT_SECONDS) -> T:
    """Wait until a condition holds and return its value; fail with the last value if it never does."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:g} s: {what or condition}; the last answer was {value!r}")
        time.sleep(POLL_SECONDS)
    return value


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail if the body takes longer, and much longer: by up to LATE_SECONDS only the machine is late."""
    began = time.monotonic()
    yield
    lasted = time.monotonic() - began
    assert lasted < seconds + LATE_SECONDS, f"took {lasted:.1f} s instead of {seconds:g} s"
