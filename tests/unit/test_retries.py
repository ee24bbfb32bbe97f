"""When a message that could not be sent is tried again, and when it is given up."""

from datetime import UTC, datetime, timedelta

import pytest

from alerts.core.retries import is_dead, pause, retry_after_of

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def test_pauses_grow_from_five_seconds_to_two_hours() -> None:
    pauses = [pause(attempts, draw=1) for attempts in range(1, 40)]
    assert pauses[:3] == [5 * SECOND, 10 * SECOND, 20 * SECOND]
    assert pauses == sorted(pauses)
    assert pauses[-1] == timedelta(hours=2)


def test_chance_shortens_a_pause_to_half_at_most() -> None:
    assert (pause(1, draw=0), pause(1, draw=0.5)) == (2.5 * SECOND, 3.75 * SECOND)


def test_nobody_is_asked_again_earlier_than_he_wants() -> None:
    assert pause(1, draw=1, retry_after=timedelta(minutes=10)) == timedelta(minutes=10)
    assert pause(9, draw=1, retry_after=SECOND) == pause(9, draw=1)


def test_nobody_makes_us_wait_for_more_than_a_day() -> None:
    assert pause(1, draw=1, retry_after=timedelta(days=400)) == DAY


def test_a_message_is_given_up_when_it_is_old_and_was_tried_often() -> None:
    assert is_dead(20, DAY, given_up_after=DAY)
    assert not is_dead(20, DAY - SECOND, given_up_after=DAY)


def test_a_clock_that_jumps_ahead_gives_up_no_message() -> None:
    assert not is_dead(1, timedelta(days=5000), given_up_after=DAY)


def test_a_day_of_failures_is_enough_attempts_to_be_given_up() -> None:
    attempts, age = 0, timedelta()
    while age < DAY:
        attempts += 1
        age += pause(attempts, draw=1)
    assert is_dead(attempts, age, given_up_after=DAY)


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("120", timedelta(minutes=2)),
        (" 0 ", timedelta()),
        ("9" * 40, timedelta(seconds=999_999)),
        ("Wed, 25 Nov 2026 12:05:00 GMT", timedelta(minutes=5)),
        ("Wed, 25 Nov 2026 12:05:00 -0000", timedelta(minutes=5)),
        ("Wed, 25 Nov 2026 11:00:00 GMT", timedelta()),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("٣", None),
    ],
)
def test_a_receiver_says_in_seconds_or_by_a_date_when_to_come_again(header: str, wait: timedelta | None) -> None:
    assert retry_after_of(header, NOW) == wait
