"""Which incidents are told, and when, as the table of defaults says."""

from typing import Any

import pytest

from alerts.core.conditions import Condition
from tests.unit.alerts.judging import WEB, Fleet

ENDED: dict[str, Any] = {"state": "stopped", "exit_code": 1}


def fleet() -> Fleet:
    """Return a fleet that the judge has looked at once."""
    made = Fleet()
    made.look()
    return made


def heard(fleet: Fleet) -> list[str]:
    """Return what was told, as words."""
    return [f"{condition} {phase}" for condition, _, phase in fleet.told]


@pytest.mark.parametrize(
    ("columns", "condition", "seconds"),
    [
        ({"state": "missing"}, "missing", 60),
        ({"health": "unhealthy"}, "unhealthy", 60),
        (ENDED, "ended", 120),
        ({"state": "created"}, "created", 600),
        ({"state": "", "container_id": ""}, "placeholder", 1_800),
        ({"is_orphan": True}, "orphan", 86_400),
    ],
)
def test_is_told_when_its_delay_is_over_and_not_before(columns: dict[str, Any], condition: str, seconds: int) -> None:
    shop = fleet()
    shop.row(**columns)
    shop.look()
    shop.wait(seconds - 1)
    assert heard(shop) == []
    shop.wait(10)
    assert heard(shop) == [f"{condition} fires"]


@pytest.mark.parametrize(("columns", "condition"), [({"state": "failed"}, "failed"), ({"is_looping": True}, "looping")])
def test_what_has_no_delay_is_told_at_the_next_look(columns: dict[str, Any], condition: str) -> None:
    shop = fleet()
    shop.row(**columns)
    shop.look()
    assert heard(shop) == [f"{condition} fires"]


@pytest.mark.parametrize("exit_code", [0, 130, 137, 143, None])
def test_nobody_is_told_of_a_container_that_has_done_its_work_or_was_stopped(exit_code: int | None) -> None:
    shop = fleet()
    shop.row(state="stopped", exit_code=exit_code)
    shop.wait(300)
    assert heard(shop) == []


def test_a_label_names_more_exit_codes_that_are_harmless() -> None:
    shop = fleet()
    shop.row(state="stopped", exit_code=3, told="2,3")
    shop.wait(300)
    assert heard(shop) == []


def test_a_label_switches_alerts_of_a_container_off() -> None:
    shop = fleet()
    shop.row(state="missing", told="off")
    shop.wait(300)
    assert heard(shop) == []


def test_a_condition_can_be_switched_off() -> None:
    shop = fleet()
    del shop.rules[Condition.MISSING]  # type: ignore[attr-defined]
    shop.row(state="missing")
    shop.wait(300)
    assert heard(shop) == []


def test_what_comes_back_within_its_delay_opens_nothing() -> None:
    """A row is bound to a newer container."""
    shop = fleet()
    shop.row(state="missing")
    shop.wait(50)
    shop.row(state="running", container_id="c2")
    shop.wait(300)
    assert (heard(shop), list(shop.phases())) == ([], [])


def test_a_delay_begins_anew_when_it_was_interrupted() -> None:
    shop = fleet()
    for _ in range(5):
        shop.row(health="unhealthy")
        shop.wait(40)
        shop.row(health="starting")
        shop.wait(20)
    assert heard(shop) == []


def test_it_is_over_only_after_it_was_well_for_a_while() -> None:
    shop = fleet()
    shop.row(state="missing")
    shop.wait(80)
    shop.row(state="running")
    shop.wait(50)
    assert list(shop.phases()) == [("missing", "clearing")]
    shop.wait(30)
    assert heard(shop) == ["missing fires", "missing over"]


def test_who_falls_back_while_it_clears_is_told_no_second_time() -> None:
    shop = fleet()
    shop.row(state="missing")
    shop.wait(80)
    shop.row(state="running")
    shop.wait(30)
    shop.row(state="missing")
    shop.wait(300)
    assert (heard(shop), list(shop.phases())) == (["missing fires"], [("missing", "firing")])


def test_a_row_that_is_deleted_ends_its_incidents() -> None:
    shop = fleet()
    shop.row(state="missing")
    shop.wait(80)
    del shop.rows[WEB]
    shop.look()
    assert heard(shop) == ["missing fires", "missing over"]


def test_a_loop_is_over_when_its_window_is_empty() -> None:
    shop = fleet()
    shop.row(is_looping=True, restarts=3)
    shop.look()
    shop.row(is_looping=False, restarts=1)
    shop.wait(300)
    assert heard(shop) == ["looping fires"]
    shop.row(restarts=0)
    shop.look()
    assert heard(shop) == ["looping fires", "looping over"]


def test_each_end_for_want_of_memory_is_told_once_and_the_third_is_the_last() -> None:
    shop = fleet()
    for _ in range(6):
        shop.look(ooms=frozenset({WEB}))
        shop.wait(60)
    assert heard(shop) == ["oom fires"] * 3
    shop.wait(3_700)
    assert heard(shop) == [*["oom fires"] * 3, "oom over"]


def test_what_comes_and_goes_is_told_three_times_and_then_is_over_after_half_an_hour() -> None:
    shop = fleet()
    for _ in range(8):
        shop.row(state="missing")
        shop.wait(80)
        shop.row(state="running")
        shop.wait(90)
    assert heard(shop) == [*["missing fires", "missing over"] * 2, "missing fires"]
    shop.wait(1_600)
    assert heard(shop)[-1] == "missing fires"
    shop.wait(200)
    assert heard(shop)[-1] == "missing over"
