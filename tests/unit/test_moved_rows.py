"""Rows whose container now stands for another row."""

import pytest

from reconciler.core.last_inspect import LastInspect
from reconciler.core.observation import Reason
from reconciler.core.plan import Kind
from tests.builders import STARTED, cid, container, instance, row, workload
from tests.planning import WEB, elsewhere, plan_of, reasons


def test_a_row_whose_container_now_stands_for_another_row_has_moved() -> None:
    """I3: one container has one row that is present; the old one is bound to none and says where its container is."""
    plan = plan_of([row("shop:old", "web", health="healthy", image_tag="v1")], [container("web", WEB, state="stopped")])
    assert str(plan) == (
        f"moved shop:old: container {cid('web')[:12]} now stands for row shop:web (was running)\n"
        f"create shop:web: container {cid('web')[:12]} (web) is stopped"
    )
    old = plan.changes[0].after
    assert (old.container_id, old.state, old.health, old.image_tag) == ("", "moved", "", "v1")
    assert plan.changes[0].details == LastInspect()


@pytest.mark.parametrize("state", ["missing", "failed", "stopped", "odd"])
def test_a_row_moves_whatever_its_state_was(state: str) -> None:
    """I3."""
    plan = plan_of([row("shop:old", "web", state=state)], [container("web", WEB)])
    assert [(change.after.id, change.after.state) for change in plan.changes] == [
        ("shop:old", "moved"),
        ("shop:web", "running"),
    ]


def test_a_row_has_moved_also_if_its_container_lost_the_contest_for_the_new_row() -> None:
    """I3: it must not go missing when that container is removed."""
    old = container("x", WEB, state="stopped", created=1)
    plan = plan_of([row("w:X", "x")], [old, container("y", WEB, created=2)])
    assert {change.after.id: change.after.state for change in plan.changes} == {"w:X": "moved", "shop:web": "running"}
    assert reasons(plan) == [("x", Reason.SUPERSEDED)]


def test_a_row_has_moved_also_if_the_new_row_is_on_another_host() -> None:
    """I3, I20."""
    plan = plan_of([row("w:X", "c")], [container("c", instance("i1"))], elsewhere=[elsewhere("running")])
    assert [(change.after.id, change.after.state) for change in plan.changes] == [("w:X", "moved")]
    assert reasons(plan) == [("c", Reason.ROW_ON_OTHER_HOST)]


def test_rows_move_also_when_nothing_may_go_missing() -> None:
    """I3."""
    plan = plan_of([row("shop:old", "web")], [container("web", WEB)], sweep=False)
    assert [change.kind for change in plan.changes] == [Kind.MOVED, Kind.CREATE]


def test_a_row_that_has_moved_stays_so_and_never_goes_missing() -> None:
    """I3, I10."""
    assert str(plan_of([row("shop:old", state="moved")], [])) == ""


def test_a_row_that_has_moved_takes_its_container_back_if_it_stands_for_it_again() -> None:
    before = [row("shop:web", state="moved"), row("shop:other", "web")]
    assert str(plan_of(before, [container("web", WEB)])) == (
        f"moved shop:other: container {cid('web')[:12]} now stands for row shop:web (was running)\n"
        f"update shop:web: container none → {cid('web')[:12]}, state moved → running"
    )


def test_containers_that_change_places_keep_their_rows_bound() -> None:
    before = [row("shop:web", "x"), row("shop:db", "y")]
    plan = plan_of(before, [container("y", WEB), container("x", workload("shop", role="db"))])
    assert [change.kind for change in plan.changes] == [Kind.UPDATE, Kind.UPDATE]


def test_a_row_that_moved_is_no_news_from_the_daemon() -> None:
    """It is the catalogue that has changed, so no event can have announced it."""
    plan = plan_of([row("shop:old", "web")], [container("web", WEB)])
    assert [change.is_news_since(STARTED) for change in plan.changes] == [False, False]
