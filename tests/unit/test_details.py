"""What the answers to inspects change, and what the lack of an answer does."""

from datetime import datetime, timedelta

import pytest

from reconciler.core.last_inspect import DetailsState, LastInspect
from reconciler.core.plan import Kind
from tests.builders import STARTED, cid, container, details, row, workload
from tests.looks import (
    ANSWERED,
    RESTARTING_WEB,
    RUNNING_WEB,
    SOON,
    STOPPED_WEB,
    UNANSWERED,
    WEB,
    YOUNG,
    Look,
    answer,
    known,
    of_web,
    owed,
)

# an answer


def test_an_answer_goes_with_the_change() -> None:
    dead = details(exit_code=137, oom_killed=True, finished_at=SOON)
    change = of_web(RUNNING_WEB, container("web", WEB, state="stopped")).change({cid("web"): dead})
    assert change.details == LastInspect(cid("web"), DetailsState.TOLD, True, 0, STARTED, SOON)
    assert change.after.exit_code == 137


@pytest.mark.parametrize(("listed", "shown"), [(1, 1), (None, 0)])
def test_the_listings_exit_code_comes_before_the_inspects(listed: int | None, shown: int) -> None:
    stopped = container("web", WEB, state="stopped", exit_code=listed)
    assert of_web(RUNNING_WEB, stopped).change(answer(exit_code=0)).after.exit_code == shown


def test_a_running_container_has_no_exit_code_whatever_an_inspect_says_a_moment_later() -> None:
    assert of_web(STOPPED_WEB, container("web", WEB)).change(answer(exit_code=1)).after.exit_code is None


def test_an_exit_code_that_only_an_inspect_tells_is_kept_by_the_next_listing() -> None:
    """I10: a container that could not be started lists no exit code, and has one."""
    created = container("web", WEB, state="created")
    first = Look([], [created]).change(answer(exit_code=127, started_at=None))
    assert first.after.exit_code == 127
    assert Look([first.after], [created]).plan().changes == ()


def test_an_answer_that_tells_nothing_new_changes_nothing() -> None:
    """I10."""
    assert of_web(RESTARTING_WEB, container("web", WEB, state="restarting")).learnt(answer()).changes == ()


def test_an_answer_that_was_owed_is_no_transition() -> None:
    change = of_web(RUNNING_WEB, container("web", WEB), owed()).change(answer())
    assert (change.kind, change.details, change.is_step) == (Kind.DETAIL, known(), False)


def test_an_answer_that_was_owed_goes_with_what_the_listing_has_changed() -> None:
    change = of_web(RUNNING_WEB, container("web", WEB, port=80), owed()).change(answer(restart_count=1))
    assert (change.kind, change.after.port, change.details) == (Kind.UPDATE, 80, known(restart_count=1))


def test_changes_stay_sorted_by_row() -> None:
    containers = [container("old", workload("shop", role="a")), container("web", WEB, state="paused")]
    look = Look([RUNNING_WEB, row("shop:a", "old")], containers, {"shop:a": owed("old")})
    plan = look.learnt({cid("old"): details(), cid("web"): details()})
    assert [change.after.id for change in plan.changes] == ["shop:a", "shop:web"]


def test_a_new_container_beside_an_old_one_whose_details_are_owed_is_one_change() -> None:
    old = container("old", WEB, state="restarting", created=1, up_seconds=0)
    look = Look([row("shop:web", "old")], [old, container("new", WEB, created=2)], {"shop:web": owed("old")})
    change = look.change({cid("old"): details(restart_count=9), cid("new"): details()})
    assert (change.kind, change.after.container_id) == (Kind.UPDATE, cid("new"))


# an answer that came soon after a start or an end


@pytest.mark.parametrize(
    ("age", "state"),
    [(0, "young"), (2.9, "young"), (3, "told"), (-5, "young"), (-60, "told")],
)
def test_details_that_are_told_just_after_a_start_are_young(age: float, state: str) -> None:
    """A moment far ahead of the listing comes from a clock that was set."""
    change = Look([], [container("web", WEB)]).change(answer(started_at=ANSWERED - timedelta(seconds=age)))
    assert change.details is not None
    assert change.details.details_state == state


def test_details_that_are_told_just_after_an_end_are_young() -> None:
    stopped = container("web", WEB, state="stopped", exit_code=1)
    change = of_web(RUNNING_WEB, stopped).change(answer(exit_code=1, finished_at=ANSWERED))
    assert change.details == known(details_state=DetailsState.YOUNG, finished_at=ANSWERED)


def test_young_details_that_are_confirmed_are_no_step_of_the_history() -> None:
    began = ANSWERED - timedelta(seconds=9)
    young = known(details_state=DetailsState.YOUNG, started_at=began)
    change = of_web(RUNNING_WEB, container("web", WEB, up_seconds=9), young).change(answer(started_at=began))
    assert (change.kind, change.details, change.is_told) == (Kind.DETAIL, known(started_at=began), False)


def test_young_details_stay_so_if_an_inspect_fails() -> None:
    young = known(details_state=DetailsState.YOUNG)
    assert of_web(RUNNING_WEB, container("web", WEB), young).learnt({}).changes == ()


# health that listings do not tell


def test_the_inspects_health_is_the_rows_if_listings_do_not_tell() -> None:
    before = row("shop:web", "web", health="starting")
    change = of_web(before, container("web", WEB, health=None)).change(answer(health="healthy"))
    assert (change.kind, change.after.health, change.is_step) == (Kind.UPDATE, "healthy", True)
    assert change.cause == "health starting → healthy"


def test_a_new_row_has_the_inspects_health_if_listings_do_not_tell() -> None:
    change = Look([], [container("web", WEB, health=None)]).change(answer(health="starting"))
    assert (change.kind, change.after.health, change.cause) == (
        Kind.CREATE,
        "starting",
        f"container {cid('web')[:12]} (web) is running",
    )


def test_a_start_goes_with_the_health_that_the_inspect_tells() -> None:
    change = of_web(STOPPED_WEB, container("web", WEB, health=None)).change(answer(health="starting"))
    assert (change.kind, change.after.health) == (Kind.UPDATE, "starting")
    assert change.cause == "state stopped → running, exit_code 1 → none, health none → starting"


def test_health_that_listings_do_not_tell_stays_until_an_inspect_tells_another() -> None:
    """I10."""
    before = row("shop:web", "web", health="healthy")
    assert of_web(before, container("web", WEB, health=None)).plan().changes == ()
    assert of_web(before, container("web", WEB, health=None)).learnt(answer(health="healthy")).changes == ()


def test_a_listing_that_tells_health_counts_more_than_an_inspect_a_moment_later() -> None:
    change = of_web(STOPPED_WEB, container("web", WEB, health="healthy")).change(answer(health="unhealthy"))
    assert change.after.health == "healthy"


def test_a_container_that_has_ended_has_no_health() -> None:
    before = row("shop:web", "web", health="healthy")
    stopped = container("web", WEB, state="stopped", exit_code=1, health=None)
    assert of_web(before, stopped).change(answer(exit_code=1, health="unhealthy")).after.health == ""


# no answer


def test_a_new_row_without_an_answer_is_made_as_planned() -> None:
    look = Look([], [container("web", WEB)])
    assert look.learnt({}) == look.plan()


@pytest.mark.parametrize("state", UNANSWERED)
def test_without_an_answer_the_last_end_is_empty_and_count_and_start_stay(state: DetailsState) -> None:
    told = known(oom_killed=True, restart_count=3, finished_at=SOON)
    change = of_web(RUNNING_WEB, container("web", WEB, state="stopped"), told).change({cid("web"): state})
    assert change.details == owed(details_state=state, restart_count=3, started_at=STARTED)


def test_without_an_answer_a_seen_start_makes_the_last_one_unknown() -> None:
    change = of_web(STOPPED_WEB, container("web", WEB), known(restart_count=3)).change({})
    assert change.details == owed(restart_count=3)


@pytest.mark.parametrize("state", UNANSWERED)
def test_without_an_answer_start_and_end_are_those_of_the_listing_if_it_tells_them(state: DetailsState) -> None:
    started = of_web(STOPPED_WEB, YOUNG).change({cid("web"): state})
    ended = of_web(RUNNING_WEB, container("web", WEB, state="stopped", ended_seconds=5)).change({cid("web"): state})
    assert started.details == owed(details_state=state, restart_count=0, started_at=ANSWERED - timedelta(seconds=1))
    assert ended.details == owed(
        details_state=state, restart_count=0, started_at=STARTED, finished_at=ANSWERED - timedelta(seconds=5)
    )


def test_without_an_answer_nothing_is_known_of_a_new_container() -> None:
    change = of_web(row("shop:web", "old"), container("web", WEB), known("old", restart_count=7)).change({})
    assert change.details == LastInspect()


def test_a_stuck_container_is_not_owed() -> None:
    change = Look([], [container("web", WEB)]).change({cid("web"): DetailsState.STUCK})
    assert change.details == LastInspect(cid("web"), DetailsState.STUCK)


def test_an_inspect_that_failed_again_changes_nothing() -> None:
    """I11."""
    look = of_web(RUNNING_WEB, container("web", WEB), owed(restart_count=2))
    assert look.learnt({cid("web"): DetailsState.OWED}).changes == look.learnt({}).changes == ()


def test_a_container_that_may_have_been_restarted_is_owed_until_an_inspect_tells() -> None:
    """It looks young for a minute only."""
    change = of_web(RUNNING_WEB, YOUNG, known(restart_count=2)).change({})
    assert (change.kind, change.details) == (Kind.DETAIL, known(restart_count=2, details_state=DetailsState.OWED))


def test_a_restarting_container_is_not_owed_because_every_look_asks_about_it() -> None:
    assert of_web(RESTARTING_WEB, container("web", WEB, state="restarting")).learnt({}).changes == ()


def test_a_restarting_container_that_got_stuck_is_asked_about_no_more() -> None:
    look = of_web(RESTARTING_WEB, container("web", WEB, state="restarting"))
    stuck = look.change({cid("web"): DetailsState.STUCK}).details
    assert stuck == known(details_state=DetailsState.STUCK)
    assert of_web(RESTARTING_WEB, container("web", WEB, state="restarting"), stuck).asked() == []


def test_a_young_container_that_got_stuck_is_not_asked_about_again_while_it_is_young() -> None:
    stuck = of_web(RUNNING_WEB, YOUNG).change({cid("web"): DetailsState.STUCK}).details
    assert of_web(RUNNING_WEB, YOUNG, stuck).asked() == []


# a row that a deployer has bound to another container


def test_the_details_of_the_last_container_go_when_a_deployer_binds_the_next() -> None:
    bound = row("shop:web", "web", state="created", exit_code=137)
    change = of_web(bound, container("web", WEB, state="created"), known("old", restart_count=12)).change({})
    assert (change.after.exit_code, change.details, change.is_step) == (None, LastInspect(), False)
    assert change.kind is Kind.DETAIL
    assert change.cause == (
        "its details told of another container, oom_killed no → none, restart_count 12 → none, "
        "started_at 2026-11-24T06:00:00+00:00 → none"
    )


def test_the_restarts_of_the_last_container_are_not_counted_as_those_of_the_next() -> None:
    last = known("old", restart_count=12, started_at=datetime.min.replace(tzinfo=STARTED.tzinfo))
    change = of_web(RUNNING_WEB, container("web", WEB), last).change(answer(restart_count=20))
    assert (change.kind, change.restarts, change.is_step) == (Kind.DETAIL, 0, False)
