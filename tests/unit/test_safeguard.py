"""The safeguard (I14): what is held back, until when, and what never is."""

import pytest

from reconciler.core.safeguard import (
    OUTDATED,
    Evidence,
    Held,
    Identity,
    Memory,
    is_present,
    safeguard,
)
from tests.builders import cid, row
from tests.safeguarding import AT, LIMITS, NAME, WINDOW, World, listed, names, plan_of, rows, seconds, world

# A mass needs two listings


def test_an_empty_listing_lets_nothing_go_at_first() -> None:
    """I14."""
    host = world(50)
    assert host.look(takes=2) == []
    held = Held(since=AT + seconds(2), engine_id=NAME, containers=frozenset(map(cid, names(50))))
    assert host.memory == Memory(held=(held,), reason="50 of 50 present rows would go missing")


def test_a_second_listing_that_agrees_lets_them_go() -> None:
    """I14."""
    host = world(50)
    host.look()
    assert len(host.look(after=5)) == 50
    assert (host.held(), host.memory.reason) == (set(), "")


@pytest.mark.parametrize(
    ("present", "gone", "is_held"),
    [(10, 5, False), (10, 6, True), (4, 4, False), (5, 5, True), (9, 4, False), (9, 5, True), (100, 50, False)],
)
def test_a_mass_is_more_than_half_and_at_least_five(present: int, gone: int, is_held: bool) -> None:
    """I14."""
    host = world(present)
    assert len(host.look(*names(present - gone))) == (0 if is_held else gone)
    assert len(host.held()) == (gone if is_held else 0)


def test_rows_that_were_gone_long_before_count_for_nothing() -> None:
    """I14."""
    before = [row(f"shop:old{number}", f"old{number}", state="missing") for number in range(20)]
    host = World([*rows(6), *before])
    assert host.look() == []


def test_what_a_listing_holds_is_applied_while_the_host_is_held() -> None:
    """I14."""
    containers = listed("c0", state="paused") + listed("new")
    evidence = Evidence(rows=rows(50), memory=Memory(), begun=AT, ended=AT, recorded=NAME, identity=Identity(name=NAME))
    verdict = safeguard(plan_of(rows(50), containers), evidence, LIMITS)
    assert str(verdict.plan) == (
        f"update shop:c0: state running → paused\ncreate shop:new: container {cid('new')[:12]} (new) is running"
    )


def test_a_plan_that_lets_nothing_go_is_left_as_it_is() -> None:
    host = world(3)
    assert (host.look(*names(3)), host.verdict.memory) == ([], Memory())


def test_present_rows_are_those_whose_container_was_there() -> None:
    candidates = [row("a", "a"), row("b"), row("c", "c", state="missing"), row("d", "d", state="failed")]
    assert [each.id for each in candidates if is_present(each)] == ["a", "d"]


# A mass is counted over a window


def test_listings_that_each_lack_a_bit_below_the_share_are_a_mass_together() -> None:
    """I14: the second half of a host is held, however small the steps."""
    host = world(100)
    let_go = [len(host.look(*names(left), after=0.1)) for left in (50, 25, 13, 7, 3, 1, 0)]
    assert let_go == [50, 0, 0, 0, 0, 0, 0]
    assert host.memory.reason == "100 of 100 present rows would go missing within 5 s"


def test_containers_that_go_one_by_one_are_a_mass_when_there_are_enough() -> None:
    """I14."""
    host = world(10)
    assert [len(host.look(*names(left), after=0.01)) for left in range(9, -1, -1)] == [1] * 5 + [0] * 5
    assert host.held() == set(names(5))


def test_what_went_missing_longer_ago_than_the_window_counts_no_more() -> None:
    """I14."""
    host = world(100)
    assert len(host.look(*names(60), takes=3)) == 40
    assert len(host.look(*names(30), after=5)) == 30


def test_what_went_missing_counts_from_the_end_of_its_listing_to_the_beginning_of_the_next() -> None:
    """I14."""
    host = world(100)
    host.look(*names(60), takes=60)
    assert host.look(*names(30), after=4.999, takes=60) == []


def test_a_mass_that_was_confirmed_counts_like_any_other_for_a_window() -> None:
    """I14."""
    host = world(100)
    host.look(*names(40))
    assert len(host.look(*names(40), after=5)) == 60
    assert host.look(*names(39), after=1) == []
    assert host.look(*names(39), after=5) == ["shop:c39"]


def test_rows_that_have_another_container_by_now_count_no_more() -> None:
    """I14: services that are made anew one after the other are no mass."""
    host = world(8)
    for number in range(8):
        name = f"c{number}"
        others = [f"{name}-new" for name in names(number)] + names(7 - number, start=number + 1)
        assert host.look(*others, after=0.1) == [f"shop:{name}"]
        host.rows = [row(f"shop:{name}", f"{name}-new") if each.id == f"shop:{name}" else each for each in host.rows]


def test_rows_that_were_deleted_after_they_went_missing_still_count() -> None:
    """I14: a deployer that clears up at once does not hide a mass."""
    host = world(100)
    host.look(*names(50))
    host.rows = [each for each in host.rows if is_present(each)]
    assert host.look(*names(25), after=0.1) == []


# From the end of the first listing to the beginning of the one that confirms it


def test_a_second_listing_that_begins_too_soon_after_the_first_confirms_nothing() -> None:
    """I14."""
    host = world(50)
    host.look(takes=60)
    first = host.memory
    assert (host.look(after=4.999, takes=60), host.memory) == ([], first)


def test_a_hold_stands_until_its_time_however_the_next_listings_look() -> None:
    """I14: a daemon that is still loading its containers loses nobody."""
    host = world(100)
    assert [host.look(*names(count), after=0.05) for count in (0, 55, 80, 100)] == [[], [], [], []]
    assert (host.held(), host.memory.reason) == (set(), "")


def test_what_of_a_mass_is_still_lacking_when_it_is_no_mass_any_more_goes_missing_in_time() -> None:
    """I14."""
    host = world(100)
    host.look()
    assert host.look(*names(99), after=4) == []
    assert host.memory.reason == "100 of 100 present rows would go missing"
    assert host.look(*names(99), after=1) == ["shop:c99"]


def test_only_what_both_listings_lack_goes_missing() -> None:
    """I14."""
    host = world(10)
    host.look(*names(4))
    assert host.look(*names(2, start=8), after=5) == [f"shop:c{number}" for number in (4, 5, 6, 7)]
    assert host.held() == set(names(4))


def test_a_container_that_came_back_has_to_be_lacking_twice_anew() -> None:
    """I14."""
    host = world(10)
    host.look()
    host.look("c0", after=1)
    assert "shop:c0" not in host.look(after=4)
    assert host.held() == {"c0"}
    assert host.look(after=5) == ["shop:c0"]


def test_each_container_waits_from_the_first_listing_that_lacked_it() -> None:
    """I14: a host that loses containers all the time does not put off those that were lacking first."""
    host = world(10)
    host.look(*names(4))
    host.look(*names(3), after=3)
    assert host.look(*names(3), after=2) == [f"shop:c{number}" for number in range(4, 10)]
    assert host.look(*names(3), after=3) == ["shop:c3"]


def test_a_container_bound_to_a_row_meanwhile_was_never_lacking() -> None:
    """I14: containers are held, not rows; a row that is bound anew is another case."""
    host = world(6)
    host.look()
    host.rows = [row(each.id, f"{each.id}-new") for each in host.rows]
    assert host.look(after=5) == []


def test_a_listing_of_long_ago_is_no_first_of_two() -> None:
    """I14."""
    host = world(50)
    host.look()
    assert host.look(after=OUTDATED.total_seconds() + 1) == []
    assert len(host.look(after=5)) == 50


def test_a_clock_that_is_set_back_delays_by_no_more_than_a_window() -> None:
    """I14."""
    host = world(50)
    host.look()
    assert host.look(after=-86_400) == []
    assert len(host.look(after=5)) == 50


def test_a_clock_that_is_set_back_keeps_no_old_sweep_in_the_window() -> None:
    """I14."""
    host = world(100)
    host.look(*names(50))
    host.look(*names(50), after=-86_400)
    assert len(host.look(*names(25), after=5)) == 25


def test_another_look_is_asked_for_by_each_listing_that_lacks_something_for_the_first_time() -> None:
    """I14."""
    host = world(10)
    asked = []
    for present in (names(4), names(4), names(3), names(4)):
        host.look(*present, after=0.1)
        asked.append(host.verdict.confirm_after)
    assert asked == [WINDOW, None, WINDOW, None]
