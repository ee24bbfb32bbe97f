"""The safeguard (I14): both listings have to come from the same Engine, and who that is."""

import pytest

from tests.safeguarding import NAME, SILENT, names, world


def test_another_engine_lets_not_even_one_row_go() -> None:
    """I14."""
    host = world(50)
    assert host.look(*names(49), engine="B") == []
    assert (host.memory.reason, host.recorded) == (f"the Engine is B, and was {NAME}", NAME)


def test_another_engine_is_believed_and_recorded_when_two_listings_agree() -> None:
    """I14."""
    host = world(3)
    host.look(engine="B")
    assert len(host.look(engine="B", after=5)) == 3
    assert host.recorded == "B"


def test_another_engine_is_not_recorded_while_something_is_held() -> None:
    """I14."""
    host = world(3)
    host.look("c0", engine="B")
    assert host.look(engine="B", after=5) == ["shop:c1", "shop:c2"]
    assert host.recorded == NAME


def test_the_right_engine_back_again_loses_nothing() -> None:
    """I14."""
    host = world(50)
    host.look(engine="B")
    assert (host.look(*names(50), after=5), host.held()) == ([], set())


@pytest.mark.parametrize(("first", "second"), [(NAME, "B"), ("B", NAME), (NAME, ""), ("", NAME)])
def test_the_second_listing_has_to_be_the_same_engines(first: str, second: str) -> None:
    """I14."""
    host = world(50)
    host.look(engine=first)
    assert host.look(engine=second, after=5) == []
    assert [(held.since, held.engine_id) for held in host.memory.held] == [(host.now, second)]


def test_two_listings_of_engines_that_do_not_say_who_they_are_confirm_nothing() -> None:
    """I14: silence matches nothing."""
    host = world(50)
    host.look(engine=SILENT)
    assert host.look(engine=SILENT, after=5) == []
    assert host.memory.reason == "the Engine does not say who it is: it sent nothing for 10 s"


def test_silence_confirms_no_listing_of_a_known_engine() -> None:
    """I14."""
    host = world(50)
    host.look()
    assert host.look(engine=SILENT, after=5) == []


def test_a_silent_listing_is_no_first_of_two() -> None:
    """I14."""
    host = world(50)
    host.look(engine=SILENT)
    assert host.look(after=5) == []
    assert len(host.look(after=5)) == 50


def test_silence_in_between_forgets_nothing() -> None:
    """I14: both the first and the last of the three say who they are."""
    host = world(50)
    host.look()
    host.look("c0", engine=SILENT, after=2)
    assert host.look(after=3) == sorted(f"shop:c{number}" for number in range(1, 50))
    assert host.recorded == NAME


def test_a_silence_of_a_moment_costs_a_window_even_for_one_row() -> None:
    """I14: what one listing was the first to lack, and was held for, needs another one."""
    host = world(50)
    assert host.look(*names(49), engine=SILENT) == []
    assert host.look(*names(49), after=1) == []
    assert host.look(*names(49), after=5) == ["shop:c49"]


def test_an_engine_that_has_never_said_who_it_is_loses_a_few_rows_but_no_mass() -> None:
    """I14."""
    host = world(50)
    host.recorded = None
    assert host.look(*names(49), engine=SILENT) == ["shop:c49"]
    assert (host.look(engine=SILENT, after=5), host.look(engine=SILENT, after=5)) == ([], [])
    assert host.memory.reason == (
        "49 of 49 present rows would go missing, and the Engine does not say who it is: it sent nothing for 10 s"
    )


def test_an_engine_without_a_lasting_name_is_guarded_by_the_count_alone() -> None:
    """I14: so is Podman."""
    host = world(50)
    host.recorded = ""
    assert host.look(*names(49), engine="") == ["shop:c49"]
    assert host.look(engine="") == []
    assert len(host.look(engine="", after=5)) == 49


def test_an_engine_with_a_name_where_there_was_a_nameless_one_is_another() -> None:
    """I14."""
    host = world(50)
    host.recorded = ""
    assert host.look(*names(49)) == []
    assert host.memory.reason == f"the Engine is {NAME}, and was nameless"


def test_an_engine_is_recorded_as_soon_as_it_says_who_it_is() -> None:
    """I14."""
    host = world(50)
    host.recorded = None
    host.look(*names(50), engine=SILENT)
    assert host.recorded is None
    host.look()
    assert host.recorded == NAME


def test_an_engine_that_says_who_it_is_for_the_first_time_is_in_no_doubt() -> None:
    """I14."""
    host = world(50)
    host.recorded = None
    assert (host.look(*names(49)), str(host.recorded)) == (["shop:c49"], NAME)


def test_another_engine_that_lacks_nothing_is_not_held() -> None:
    host = world(3)
    assert (host.look(*names(3), engine="B"), host.held()) == ([], set())
