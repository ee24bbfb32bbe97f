"""When the watcher looks at a host, and what for; time is what the test says it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.watch.schedule import MOST_ANNOUNCED, SETTLED_SECONDS, DueLook, Schedule

WINDOW = 0.1
SOON = WINDOW / 4


@pytest.fixture
def schedule() -> Schedule:
    return Schedule(WINDOW)


def looks(schedule: Schedule, until: float = 1000.0) -> list[tuple[float, int | None]]:
    """Take every look as soon as it is due; return when each was, and the event it may show."""
    made = []
    while (due := schedule.next_due()) is not None and due <= until:
        look = schedule.take(due)
        assert look is not None
        made.append((round(due, 6), look.event_ns))
    return made


def test_a_wanted_look_is_due_at_once(schedule: Schedule) -> None:
    schedule.want("local", 5.0, 7)
    assert schedule.take(5.0) == DueLook(host="local", event_ns=7)


def test_nothing_is_due_if_nothing_is_wanted(schedule: Schedule) -> None:
    assert (schedule.next_due(), schedule.take(5.0)) == (None, None)


def test_nothing_is_taken_before_it_is_due(schedule: Schedule) -> None:
    schedule.try_again(DueLook(host="local", event_ns=None), 5.0)
    assert schedule.take(4.999) is None


def test_an_event_is_looked_at_at_once_soon_after_the_window_and_when_all_has_settled(schedule: Schedule) -> None:
    schedule.note_event("local", 0.0, 7)
    assert looks(schedule) == [(0.0, 7), (SOON, 7), (WINDOW, 7), (SETTLED_SECONDS, 7)]


def test_a_death_is_looked_at_once_a_listing_may_be_expected_to_show_it(schedule: Schedule) -> None:
    """A look at once would come too early on Docker 20.10, and the next would wait for it."""
    schedule.note_event("local", 0.0, 7, listed_after=0.015)
    assert looks(schedule) == [(0.015, 7), (0.015 + SOON, 7), (0.015 + WINDOW, 7), (SETTLED_SECONDS, 7)]


@pytest.mark.parametrize("window", [0.01, 0.5, 1.0, 5.0])
def test_each_kind_of_look_is_made_whatever_the_window(window: float) -> None:
    """Also where a window is as long as the time to settle."""
    schedule = Schedule(window)
    schedule.note_event("local", 0.0, 7)
    made = [at for at, _ in looks(schedule)]
    assert made[:2] == [0.0, window / 4]
    assert made[-1] == max(window, SETTLED_SECONDS)


def test_a_burst_within_a_window_has_one_look_at_once_and_one_for_the_rest(schedule: Schedule) -> None:
    schedule.note_event("local", 0.0, 1)
    made = looks(schedule, until=0.0)
    for number in range(2, 40):
        schedule.note_event("local", number / 1000, number)
    made += looks(schedule, until=WINDOW)
    assert [at for at, _ in made] == [0.0, SOON, WINDOW]


def test_the_first_event_of_a_burst_is_the_one_that_a_look_carries(schedule: Schedule) -> None:
    schedule.want("local", 0.0)
    looks(schedule)
    for event_ns in (None, 5, 3, 9):
        schedule.want("local", 0.01, event_ns)
    assert looks(schedule) == [(WINDOW, 5)]


def test_an_event_late_in_a_burst_has_a_look_a_window_after_it_too(schedule: Schedule) -> None:
    """The look that the first event asked for may come too early to show it."""
    schedule.note_event("local", 0.0, 1)
    looks(schedule, until=0.0)
    schedule.note_event("local", 0.09, 2)
    made = looks(schedule)
    assert [at for at, _ in made] == [SOON, WINDOW, 2 * WINDOW, 0.09 + SETTLED_SECONDS]
    assert made[2] == (2 * WINDOW, 2)


def test_the_last_look_moves_with_the_last_event(schedule: Schedule) -> None:
    for number in range(8):
        schedule.note_event("local", number / 10, number)
    assert looks(schedule)[-1][0] == pytest.approx(0.7 + SETTLED_SECONDS)


@given(st.lists(st.floats(0.0, 0.05), min_size=1, max_size=200))
def test_no_storm_leads_to_more_than_one_look_a_window_and_one_more(pauses: list[float]) -> None:
    """I19."""
    schedule, at, made = Schedule(WINDOW), 0.0, 0
    for pause in pauses:
        at += pause
        made += len(looks(schedule, until=at))
        schedule.note_event("local", at, None)
    made += len(looks(schedule))
    assert made <= (at + SETTLED_SECONDS) / WINDOW + 2


@given(st.lists(st.floats(0.0, 0.3), min_size=1, max_size=60))
def test_every_event_has_a_look_at_or_after_it_within_a_window_and_one_when_all_has_settled(
    pauses: list[float],
) -> None:
    """I13."""
    schedule, at, events, made = Schedule(WINDOW), 0.0, [], []
    for pause in pauses:
        at += pause
        made += [when for when, _ in looks(schedule, until=at)]
        schedule.note_event("local", at, None)
        events.append(at)
    made += [when for when, _ in looks(schedule)]
    for event in events:
        assert any(event - 1e-6 <= when <= event + WINDOW + 1e-6 for when in made)
    assert max(made) >= max(events) + SETTLED_SECONDS - 1e-6


def test_looks_that_are_made_late_are_no_more_of_them(schedule: Schedule) -> None:
    """A busy machine: each look is taken 5 ms late, and events come in between."""
    made, at = 0, 0.0
    while at < 2.0:
        at += 0.001
        schedule.note_event("local", at, None)
        due = schedule.next_due()
        if due is not None and due + 0.005 <= at and schedule.take(at):
            made += 1
    assert made <= 2.0 / WINDOW + 2


def test_after_the_last_look_nothing_more_is_due(schedule: Schedule) -> None:
    schedule.note_event("local", 0.0, 7)
    looks(schedule)
    assert schedule.next_due() is None


def test_hosts_do_not_wait_for_each_other(schedule: Schedule) -> None:
    schedule.want("local", 0.0, 1)
    assert schedule.take(0.0) == DueLook(host="local", event_ns=1)
    schedule.want("edge", 0.01, 2)
    assert schedule.take(0.01) == DueLook(host="edge", event_ns=2)


def test_the_host_that_has_waited_longest_comes_first(schedule: Schedule) -> None:
    schedule.want("edge", 0.2, 2)
    schedule.want("local", 0.1, 1)
    assert [look and look.host for look in (schedule.take(1.0), schedule.take(1.0))] == ["local", "edge"]


def test_a_look_that_could_not_be_made_is_made_later_and_carries_its_event(schedule: Schedule) -> None:
    schedule.note_event("local", 0.0, 7)
    look = schedule.take(0.0)
    assert look
    schedule.try_again(look, 2.5)
    assert schedule.take(2.5) == DueLook(host="local", event_ns=7, announced=(7,))


def test_every_event_is_told_once_with_the_next_look(schedule: Schedule) -> None:
    """Also those of a burst that share a look with an earlier one, of which alone a look carries the time."""
    told: list[int] = []
    for number, at in enumerate((0.0, 0.04, 0.06, 0.1, 0.14, 0.3), start=1):
        while (due := schedule.next_due()) is not None and due <= at and (look := schedule.take(at)):
            told.extend(look.announced)
        schedule.note_event("local", at, number)
    while (due := schedule.next_due()) is not None and (look := schedule.take(due)):
        told.extend(look.announced)
    assert told == [1, 2, 3, 4, 5, 6]


def test_of_many_events_before_a_look_the_latest_are_told(schedule: Schedule) -> None:
    for number in range(MOST_ANNOUNCED + 3):
        schedule.note_event("local", 0.0, number)
    look = schedule.take(0.0)
    assert look
    assert look.announced == tuple(range(3, MOST_ANNOUNCED + 3))


def test_a_host_that_is_forgotten_is_not_looked_at(schedule: Schedule) -> None:
    schedule.note_event("local", 0.0, 7)
    schedule.forget("local")
    assert schedule.next_due() is None
