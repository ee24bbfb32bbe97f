"""How much a count has grown within the last hour."""

from datetime import UTC, datetime, timedelta

from alerts.core.drift import growth, remembered

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def grown(*counts: tuple[int, int]) -> int:
    """Return the growth after the count was found to be so much after so many minutes."""
    memory: dict[str, list[tuple[float, int]]] = {}
    for minutes, count in counts:
        memory = remembered(memory, {"west": count}, NOW + timedelta(minutes=minutes))
    return growth(memory["west"])


def test_what_was_counted_before_the_first_look_is_no_growth() -> None:
    assert grown((0, 7)) == 0


def test_what_has_grown_within_the_hour_counts_and_no_more() -> None:
    assert grown((0, 1), (10, 2), (20, 4), (75, 5)) == 3


def test_a_count_that_was_set_back_counts_from_there() -> None:
    assert grown((0, 7), (1, 0), (2, 2)) == 2


def test_a_clock_that_was_ahead_leaves_nothing_behind() -> None:
    assert grown((600, 1), (0, 2), (1, 3)) == 1


def test_so_much_is_remembered_as_an_hour_has_seen() -> None:
    memory: dict[str, list[tuple[float, int]]] = {}
    for minute in range(300):
        memory = remembered(memory, {"west": minute}, NOW + timedelta(minutes=minute))
    assert len(memory["west"]) == 62


def test_a_count_that_stands_still_is_remembered_once() -> None:
    first = remembered({}, {"west": 7}, NOW)
    assert remembered(first, {"west": 7}, NOW + timedelta(minutes=1)) == first == {"west": [(NOW.timestamp(), 7)]}
