"""Who has a row: of two containers of one host, and of two hosts."""

import pytest

from reconciler.core.contests import RowElsewhere
from reconciler.core.observation import Reason
from tests.builders import cid, container, instance, row
from tests.planning import WEB, elsewhere, plan_of, reasons


def test_the_live_container_wins_its_row_over_a_newer_dead_one() -> None:
    dead = container("newer", WEB, state="stopped", created=2)
    plan = plan_of([], [dead, container("live", WEB, created=1)])
    assert ([c.after.container_id for c in plan.changes], reasons(plan)) == (
        [cid("live")],
        [("newer", Reason.SUPERSEDED)],
    )


def test_a_container_that_is_stopping_still_lives_and_keeps_its_row_over_a_newer_dead_one() -> None:
    """Podman's word for a container that was told to end."""
    dead = container("newer", WEB, state="stopped", created=2)
    plan = plan_of([], [dead, container("ending", WEB, state="stopping", created=1)])
    assert [(c.after.container_id, c.after.state) for c in plan.changes] == [(cid("ending"), "stopping")]


def test_the_newest_of_two_live_containers_wins() -> None:
    plan = plan_of([], [container("new", WEB, created=2), container("old", WEB, created=1)])
    assert [c.after.container_id for c in plan.changes] == [cid("new")]


def test_of_two_created_in_the_same_second_the_one_listed_first_is_newer() -> None:
    first, second = container("a", WEB), container("b", WEB)
    for listed in ([first, second], [second, first]):
        plan = plan_of([], listed)
        assert [c.after.container_id for c in plan.changes] == [listed[0].container_id]
        assert reasons(plan) == [(listed[1].name, Reason.SUPERSEDED)]


def test_the_live_one_of_two_created_in_the_same_second_wins_wherever_it_is_listed() -> None:
    plan = plan_of([], [container("a", WEB, state="stopped"), container("b", WEB)])
    assert [c.after.container_id for c in plan.changes] == [cid("b")]


def test_every_superseded_container_is_told_which_one_has_the_row_in_the_end() -> None:
    plan = plan_of([], [container(name, WEB, created=created) for created, name in enumerate(["old", "older", "new"])])
    assert [(skip.name, skip.detail) for skip in plan.skips] == [
        (name, f"row shop:web shows {cid('new')[:12]} (new, running)") for name in sorted(["old", "older"], key=cid)
    ]


def test_a_superseded_container_keeps_nothing_from_going_right() -> None:
    plan = plan_of([row("shop:web", "old")], [container("old", WEB, created=1), container("new", WEB, created=2)])
    assert str(plan) == f"update shop:web: container {cid('old')[:12]} → {cid('new')[:12]}"


LIVE = ["running", "restarting", "paused", "created"]


@pytest.mark.parametrize("state", ["missing", "stopped", "failed"])
@pytest.mark.parametrize("seen", LIVE)
def test_an_instances_row_moves_to_a_live_container_from_a_host_where_it_has_none(state: str, seen: str) -> None:
    """I20."""
    there = elsewhere(state)
    plan = plan_of([], [container("c", instance("i1"), state=seen)], elsewhere=[there])
    assert plan.changes[0].before == there.row
    assert str(plan).startswith(
        f"update i1: host west → local, container {cid('old')[:12]} → {cid('c')[:12]}, state {state} → {seen}"
    )


def test_an_instances_row_moves_from_a_host_where_its_container_stands_for_another_row() -> None:
    """I20."""
    there = RowElsewhere(row("i1", host="west", state="moved"), host_is_off=False)
    plan = plan_of([], [container("c", instance("i1"))], elsewhere=[there])
    assert (plan.changes[0].before, plan.changes[0].after.host) == (there.row, "local")


@pytest.mark.parametrize("state", [*LIVE, "removing", "odd"])
def test_an_instances_row_moves_to_a_live_container_from_a_host_that_is_off(state: str) -> None:
    """I20."""
    plan = plan_of([], [container("c", instance("i1"))], elsewhere=[elsewhere(state, is_off=True)])
    assert plan.changes[0].after.host == "local"


@pytest.mark.parametrize("state", [*LIVE, "removing", "odd"])
def test_a_row_that_another_host_shows_stays_there(state: str) -> None:
    """I20."""
    plan = plan_of([], [container("c", instance("i1"))], elsewhere=[elsewhere(state)])
    assert (str(plan), reasons(plan)) == ("", [("c", Reason.ROW_ON_OTHER_HOST)])
    assert plan.skips[0].detail == (
        f"row i1 is {state} on host west; "
        "it moves once its container there is stopped or gone, or once that host is off"
    )


@pytest.mark.parametrize("there", [elsewhere("missing"), elsewhere("stopped"), elsewhere("running", is_off=True)])
@pytest.mark.parametrize("seen", ["stopped", "removing", "odd"])
def test_a_row_of_another_host_moves_to_no_container_that_is_not_live(there: RowElsewhere, seen: str) -> None:
    """I20."""
    plan = plan_of([], [container("c", instance("i1"), state=seen)], elsewhere=[there])
    assert str(plan) == ""
    assert [skip.detail for skip in plan.skips] == [
        f"row i1 is {there.row.state} on host west, and moves only to a container that is live; this one is {seen}"
    ]


@pytest.mark.parametrize("is_off", [False, True])
@pytest.mark.parametrize("state", ["", "failed", "missing"])
def test_a_placeholder_of_another_host_never_moves(state: str, is_off: bool) -> None:
    """I4, I20: it belongs to the host that the deployer named."""
    there = elsewhere(state, container_name="", is_off=is_off)
    plan = plan_of([], [container("c", instance("i1"))], elsewhere=[there])
    assert str(plan) == ""
    assert reasons(plan) == [("c", Reason.ROW_ON_OTHER_HOST)]
    assert plan.skips[0].detail == (
        "row i1 is a placeholder on host west; if no deploy is under way there, delete the row"
    )
