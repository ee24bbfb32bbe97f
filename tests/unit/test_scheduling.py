"""Tests that wait for something real run beside those that keep a core busy, whatever pytest's own order is."""

from itertools import pairwise

from tests.scheduling import ACCEPTANCE, spread

SLOW = [f"{ACCEPTANCE}test_a.py::test_{number}" for number in range(4)]
QUICK = [f"tests/unit/test_b.py::test_{number}" for number in range(20)]


def test_tests_that_wait_are_spread_evenly_and_none_is_among_the_last() -> None:
    places = [at for at, nodeid in enumerate(spread(SLOW + QUICK)) if nodeid in SLOW]
    assert {later - earlier for earlier, later in pairwise(places)} <= {4, 5, 6}
    assert places[-1] < 0.8 * 24


def test_each_kind_of_test_keeps_its_order() -> None:
    order = spread(SLOW + QUICK)
    assert [nodeid for nodeid in order if nodeid in SLOW] == SLOW
    assert [nodeid for nodeid in order if nodeid in QUICK] == QUICK


def test_tests_of_one_kind_stay_as_they_are() -> None:
    assert (spread(SLOW), spread(QUICK)) == (SLOW, QUICK)
