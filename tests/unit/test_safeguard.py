"""The safeguard: what is held back, until when, and what never is (I14)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.core.dispatch import Row, claim_all, dispatch_all
from reconciler.core.identities import Catalogue
from reconciler.core.observation import Observation
from reconciler.core.plan import Plan, make_plan
from reconciler.core.safeguard import Evidence, Held, Limits, Safeguarded, present_rows, safeguard
from tests.builders import cid, container, row, workload

AT = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
LIMITS = Limits(share=0.5, least=5, seconds=5)
LATER = AT + timedelta(seconds=5)


def names(count: int, start: int = 0) -> list[str]:
    return [f"c{number}" for number in range(start, start + count)]


def rows(count: int) -> list[Row]:
    return [row(f"shop:{name}", name) for name in names(count)]


def listed(*present: str, state: str = "running") -> list[Observation]:
    return [container(name, workload("shop", role=name), state=state) for name in present]


def plan_of(before: list[Row], containers: list[Observation]) -> Plan:
    managed, skips = claim_all(containers)
    sightings, _ = dispatch_all(managed, Catalogue(), "local")
    return make_plan(before, sightings, skips, frozenset(each.container_id for each in containers), {})


def look(before: list[Row], containers: list[Observation], *, at: datetime = AT, **evidence: Any) -> Safeguarded:
    return safeguard(plan_of(before, containers), Evidence(present_rows(before), **evidence), at, LIMITS)


def swept(safeguarded: Safeguarded) -> list[str]:
    return [change.after.id for change in safeguarded.plan.sweep]


def test_an_empty_listing_sweeps_nothing_at_first() -> None:
    safeguarded = look(rows(50), [])
    assert swept(safeguarded) == []
    assert safeguarded.hold == Held(
        since=AT, suspects=frozenset(map(cid, names(50))), engine_id="", reason="50 of 50 present rows would go missing"
    )


def test_a_second_listing_that_agrees_sweeps() -> None:
    held = look(rows(50), []).hold
    safeguarded = look(rows(50), [], hold=held, at=LATER)
    assert (len(swept(safeguarded)), safeguarded.hold) == (50, None)


def test_a_second_listing_too_soon_does_not_count() -> None:
    held = look(rows(50), []).hold
    safeguarded = look(rows(50), [], hold=held, at=LATER - timedelta(milliseconds=1))
    assert (swept(safeguarded), safeguarded.hold) == ([], held)


def test_a_second_listing_that_holds_everything_lifts_the_hold() -> None:
    held = look(rows(50), []).hold
    safeguarded = look(rows(50), listed(*names(50)), hold=held, at=LATER)
    assert (swept(safeguarded), safeguarded.hold) == ([], None)


def test_only_what_both_listings_lack_goes_missing() -> None:
    held = look(rows(10), listed(*names(4))).hold
    safeguarded = look(rows(10), listed(*names(2, start=8)), hold=held, at=LATER)
    assert swept(safeguarded) == [f"shop:c{number}" for number in (4, 5, 6, 7)]
    assert safeguarded.hold is not None
    assert safeguarded.hold.suspects == frozenset(map(cid, names(4)))


def test_what_was_there_again_in_between_has_to_be_lacking_twice_anew() -> None:
    held = look(rows(10), []).hold
    again = look(rows(10), listed("c0"), hold=held, at=AT + timedelta(seconds=1)).hold
    safeguarded = look(rows(10), [], hold=again, at=LATER)
    assert "shop:c0" not in swept(safeguarded)
    assert safeguarded.hold is not None
    assert safeguarded.hold.suspects == {cid("c0")}


@pytest.mark.parametrize(
    ("present", "gone", "is_held"),
    [(10, 5, False), (10, 6, True), (4, 4, False), (5, 5, True), (9, 4, False), (9, 5, True), (100, 50, False)],
)
def test_a_mass_is_more_than_half_and_at_least_five(present: int, gone: int, is_held: bool) -> None:
    safeguarded = look(rows(present), listed(*names(present - gone)))
    assert (safeguarded.hold is not None, len(swept(safeguarded))) == (is_held, 0 if is_held else gone)


def test_rows_that_were_gone_before_count_for_nothing() -> None:
    before = [*rows(6), *(row(f"shop:old{number}", f"old{number}", state="missing") for number in range(20))]
    assert look(before, []).hold is not None


def test_an_engine_in_doubt_sweeps_not_even_one_row() -> None:
    safeguarded = look(rows(50), listed(*names(49)), doubt="the Engine is B, and was A")
    assert (swept(safeguarded), safeguarded.hold and safeguarded.hold.reason) == ([], "the Engine is B, and was A")


def test_an_engine_in_doubt_is_believed_when_two_listings_agree() -> None:
    held = look(rows(3), [], doubt="B, not A").hold
    assert len(swept(look(rows(3), [], hold=held, at=LATER, doubt="B, not A"))) == 3


def test_an_engine_in_doubt_that_lacks_nothing_is_not_held() -> None:
    assert look(rows(3), listed(*names(3)), doubt="B, not A").hold is None


def test_what_a_listing_holds_is_applied_while_the_host_is_held() -> None:
    safeguarded = look(rows(50), listed("c0", state="paused") + listed("new"))
    assert str(safeguarded.plan) == (
        f"update shop:c0: state running → paused\ncreate shop:new: container {cid('new')[:12]} (new) is running"
    )


def test_a_hold_that_is_due_goes_on_with_what_is_newly_lacking() -> None:
    held = look(rows(10), listed(*names(4))).hold
    safeguarded = look(rows(10), [], hold=held, at=LATER)
    assert len(swept(safeguarded)) == 6
    assert safeguarded.hold == Held(
        since=LATER,
        suspects=frozenset(map(cid, names(4))),
        engine_id="",
        reason="10 of 10 present rows would go missing",
    )


def test_a_container_bound_to_a_row_meanwhile_was_never_lacking() -> None:
    """A hold remembers containers, not rows: a row that was bound to another container is another case."""
    held = look(rows(6), []).hold
    rebound = [replace_container(each) for each in rows(6)]
    assert swept(look(rebound, [], hold=held, at=LATER)) == []


def replace_container(before: Row) -> Row:
    return row(before.id, f"{before.id}-new")


@pytest.mark.parametrize(("first", "second"), [("A", "B"), ("B", "A"), ("A", ""), ("", "A")])
def test_the_second_listing_has_to_be_the_same_engines(first: str, second: str) -> None:
    held = look(rows(50), [], engine_id=first).hold
    safeguarded = look(rows(50), [], hold=held, at=LATER, engine_id=second)
    assert swept(safeguarded) == []
    assert safeguarded.hold is not None
    assert (safeguarded.hold.since, safeguarded.hold.engine_id) == (LATER, second)


@pytest.mark.parametrize("seconds", [-1, 601])
def test_a_hold_of_the_future_or_of_long_ago_is_no_first_of_two(seconds: float) -> None:
    held = look(rows(50), []).hold
    at = AT + timedelta(seconds=seconds)
    safeguarded = look(rows(50), [], hold=held, at=at)
    assert swept(safeguarded) == []
    assert safeguarded.hold is not None
    assert safeguarded.hold.since == at


def test_a_listing_that_cannot_sweep_neither_confirms_nor_lifts() -> None:
    """I3: one id in the listing was unreadable."""
    held = look(rows(50), []).hold
    safeguarded = look(rows(50), listed(*names(50)), hold=held, at=LATER, can_sweep=False)
    assert safeguarded.hold == held


def test_present_rows_are_those_whose_container_was_there() -> None:
    assert present_rows([row("a", "a"), row("b"), row("c", "c", state="missing"), row("d", "d", state="failed")]) == 2


def test_a_plan_that_lacks_nothing_is_left_as_it_is() -> None:
    plan = plan_of(rows(3), listed(*names(3), state="paused"))
    assert safeguard(plan, Evidence(3), AT, LIMITS) == Safeguarded(replace(plan), None)
