"""I16: history is in the order of its commits, whatever the clocks beside it say."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.history import in_order

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
hours = st.lists(st.integers(0, 1_000), max_size=30)


def moments(*after_noon: float) -> list[datetime]:
    return [NOON + number * HOUR for number in after_noon]


@given(hours)
def test_no_moment_is_before_the_one_that_precedes_it(given_hours: list[int]) -> None:
    ordered = in_order(moments(*given_hours))
    assert ordered == sorted(ordered)


@given(hours)
def test_moments_that_are_in_order_stay_as_they_are(given_hours: list[int]) -> None:
    told = moments(*sorted(given_hours))
    assert in_order(told) == told


@given(st.lists(st.integers(0, 1_000), min_size=5, max_size=30, unique=True), st.data())
def test_one_wrong_clock_moves_no_step_but_its_own(given_hours: list[int], data: st.DataObject) -> None:
    right = moments(*sorted(given_hours))
    # with two right ones on either side there is no doubt which is wrong
    place = data.draw(st.integers(2, len(right) - 3))
    told = [*right]
    told[place] += data.draw(st.sampled_from([-5_000 * HOUR, 5_000 * HOUR]))
    ordered = in_order(told)
    assert right[place - 1] <= ordered.pop(place) <= right[place + 1]
    assert ordered == [*right[:place], *right[place + 1 :]]


def test_a_moment_that_is_too_late_becomes_that_of_the_next_step() -> None:
    assert in_order(moments(1, 99, 3, 4)) == moments(1, 3, 3, 4)


def test_a_moment_that_is_too_early_becomes_that_of_the_step_before() -> None:
    assert in_order(moments(1, 2, -99, 4)) == moments(1, 2, 2, 4)


def test_several_steps_by_one_wrong_clock_do_not_outweigh_the_rest() -> None:
    assert in_order(moments(1, 99, 98, 4, 5, 6)) == moments(1, 4, 4, 4, 5, 6)
