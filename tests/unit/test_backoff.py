"""Pauses after failures."""

import pytest

from reconciler.core.backoff import pause_seconds


@pytest.mark.parametrize(
    ("failures", "least", "most"),
    [(1, 15, 30), (2, 30, 60), (3, 60, 120), (4, 120, 240), (5, 150, 300), (99, 150, 300)],
)
def test_a_pause_doubles_up_to_the_longest_with_jitter(failures: int, least: float, most: float) -> None:
    assert pause_seconds(failures, 30, 300, 0.0) == least
    assert pause_seconds(failures, 30, 300, 1.0) == most


def test_any_number_of_failures_has_a_pause() -> None:
    assert pause_seconds(10**9, 30, 300, 1.0) == 300
    assert pause_seconds(0, 30, 300, 1.0) == 30
