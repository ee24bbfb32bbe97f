"""How often a container was restarted, as the answers to inspects tell it."""

from datetime import timedelta

import pytest

from reconciler.core.dispatch import Row
from reconciler.core.last_inspect import DetailsState
from reconciler.core.plan import Kind
from tests.builders import STARTED, cid, container, row
from tests.looks import (
    ANSWERED,
    CREATED_WEB,
    RESTARTING_WEB,
    RUNNING_WEB,
    SOON,
    STOPPED_WEB,
    WEB,
    YOUNG,
    answer,
    known,
    of_web,
    owed,
)


@pytest.mark.parametrize(("before", "now", "restarts"), [(2, 5, 3), (0, 1, 1), (0, 0, 0), (4, 4, 0), (None, 4, 0)])
def test_the_growth_of_the_restart_count_goes_with_the_change(before: int | None, now: int, restarts: int) -> None:
    look = of_web(RUNNING_WEB, container("web", WEB, state="restarting"), known(restart_count=before))
    change = look.change(answer(restart_count=now))
    assert (change.kind, change.cause, change.restarts) == (Kind.UPDATE, "state running → restarting", restarts)


def test_growth_is_counted_from_the_last_count_that_was_known() -> None:
    """One inspect in vain hides no restart."""
    restarting = container("web", WEB, state="restarting")
    lost = of_web(RUNNING_WEB, restarting, known(restart_count=2)).change({}).details
    change = of_web(RESTARTING_WEB, restarting, lost).change(answer(restart_count=7))
    assert (change.kind, change.restarts, change.is_step) == (Kind.RESTART, 5, True)


def test_growth_is_not_counted_from_another_containers_count() -> None:
    change = of_web(row("shop:web", "old"), container("web", WEB), known("old", restart_count=2))
    assert change.change(answer(restart_count=7)).restarts == 0


def test_a_restarting_containers_growing_count_is_in_the_history() -> None:
    look = of_web(RESTARTING_WEB, container("web", WEB, state="restarting"), known(restart_count=3))
    change = look.change(answer(restart_count=5))
    assert (change.kind, change.restarts, change.is_step) == (Kind.RESTART, 2, True)


def test_a_restart_between_two_looks_is_a_change() -> None:
    plan = of_web(RUNNING_WEB, YOUNG, known(restart_count=1)).learnt(answer(restart_count=3, started_at=SOON))
    assert str(plan) == f"restart shop:web: container {cid('web')[:12]} was restarted, restart count 1 → 3"
    assert (plan.changes[0].restarts, plan.changes[0].is_step) == (2, True)


def test_a_restart_takes_back_no_change_of_the_listing() -> None:
    before = row("shop:web", "web", health="healthy")
    change = of_web(before, container("web", WEB, up_seconds=2, health="starting")).change(answer(restart_count=1))
    assert (change.kind, change.after.health, change.restarts) == (Kind.RESTART, "starting", 1)
    assert change.cause.startswith("health healthy → starting, container ")


def test_a_loop_that_is_never_seen_restarting_is_counted_while_it_is_stopped() -> None:
    """Podman has no state `restarting`."""
    seen = container("web", WEB, state="stopped", exit_code=1, ended_seconds=1)
    last = known(restart_count=101, finished_at=SOON)
    change = of_web(STOPPED_WEB, seen, last).change(answer(exit_code=1, restart_count=212, finished_at=ANSWERED))
    assert (change.kind, change.restarts, change.is_step) == (Kind.RESTART, 111, True)


def test_a_restart_that_only_the_exit_code_shows_is_in_the_history() -> None:
    seen = container("web", WEB, state="stopped", exit_code=2)
    change = of_web(STOPPED_WEB, seen).change(answer(restart_count=1, exit_code=2))
    assert (change.kind, change.restarts, change.is_step) == (Kind.RESTART, 1, True)
    assert change.cause.startswith("exit_code 1 → 2, container ")


def test_a_suspicion_that_an_inspect_clears_changes_nothing() -> None:
    assert of_web(RUNNING_WEB, YOUNG).learnt(answer()).changes == ()


def test_a_suspicion_that_an_inspect_clears_leaves_the_listings_change_as_it_is() -> None:
    look = of_web(RUNNING_WEB, container("web", WEB, up_seconds=2, health="starting"))
    assert look.learnt(answer()) == look.plan()


def test_a_restart_less_than_a_second_after_a_start_is_in_the_history() -> None:
    """Every listing shows the same age; the inspect that comes once more tells them apart."""
    began = ANSWERED - timedelta(seconds=5)
    young = known(details_state=DetailsState.YOUNG, started_at=began)
    look = of_web(RUNNING_WEB, container("web", WEB, up_seconds=4), young)
    change = look.change(answer(started_at=began + timedelta(milliseconds=700)))
    assert (change.kind, change.restarts) == (Kind.RESTART, 1)


# a start by hand sets the count back to nothing


def test_a_restart_by_hand_is_one_restart() -> None:
    change = of_web(RUNNING_WEB, YOUNG).change(answer(started_at=SOON))
    assert (change.kind, change.restarts) == (Kind.RESTART, 1)
    assert change.cause == f"container {cid('web')[:12]} was restarted, not by its restart policy"


@pytest.mark.parametrize(
    ("before", "state", "now", "restarts"),
    [
        (RUNNING_WEB, "running", 2, 3),
        (RUNNING_WEB, "stopped", 2, 3),
        (RUNNING_WEB, "stopped", 0, 1),
        (STOPPED_WEB, "stopped", 0, 1),
        (STOPPED_WEB, "running", 0, 0),
        (STOPPED_WEB, "running", 2, 2),
        (RESTARTING_WEB, "running", 0, 0),
    ],
)
def test_a_start_by_hand_is_a_restart_unless_the_row_goes_to_running_by_it(
    before: Row, state: str, now: int, restarts: int
) -> None:
    seen = container("web", WEB, state=state, exit_code=1 if state == "stopped" else None)
    look = of_web(before, seen, owed(restart_count=7, started_at=STARTED))
    assert look.change(answer(restart_count=now, started_at=SOON)).restarts == restarts


def test_a_start_that_was_seen_without_an_answer_is_no_restart_when_the_answer_comes() -> None:
    lost = of_web(STOPPED_WEB, YOUNG, known(finished_at=SOON)).change({}).details
    change = of_web(RUNNING_WEB, container("web", WEB), lost).change(answer(started_at=ANSWERED))
    assert (change.kind, change.restarts) == (Kind.DETAIL, 0)


def test_the_first_start_is_no_restart() -> None:
    seen = container("web", WEB, state="stopped", exit_code=1)
    assert of_web(CREATED_WEB, seen, known(started_at=None)).change(answer(exit_code=1)).restarts == 0


def test_a_container_that_was_paused_meanwhile_was_not_started() -> None:
    paused = row("shop:web", "web", state="paused")
    assert of_web(paused, container("web", WEB)).change(answer(started_at=SOON)).restarts == 1


@pytest.mark.parametrize(("state", "restarts"), [(DetailsState.TOLD, 1), (DetailsState.OWED, 0)])
def test_a_start_that_only_a_listing_told_is_compared_to_two_seconds(state: DetailsState, restarts: int) -> None:
    look = of_web(RUNNING_WEB, container("web", WEB, state="paused"), known(details_state=state))
    assert look.change(answer(started_at=STARTED + timedelta(seconds=2))).restarts == restarts


def test_the_new_start_of_a_restart_that_was_counted_is_not_counted_again() -> None:
    """The count grows when a container ends, and its start moves when it is up again."""
    change = of_web(RUNNING_WEB, YOUNG, known(restart_count=2)).change(answer(restart_count=2, started_at=ANSWERED))
    assert (change.kind, change.restarts, change.is_step) == (Kind.DETAIL, 0, False)
    assert change.details == known(restart_count=2, started_at=ANSWERED, details_state=DetailsState.YOUNG)
