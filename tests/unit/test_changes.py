"""What a change is: whether it is a step of the history, is seen by readers, and was the daemon's doing."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from reconciler.core.dispatch import Row
from reconciler.core.plan import Change, Kind
from tests.builders import STARTED, container, row
from tests.looks import known

BEFORE = row("shop:web", "web")
LATER = STARTED + timedelta(hours=1)


def change(before: Row | None, after: Row = BEFORE, kind: Kind = Kind.UPDATE, **more: object) -> Change:
    return Change(kind, before, after, False, "a cause", **more)  # type: ignore[arg-type]


def created_at(moment: datetime) -> Change:
    """Return the change that makes a row for a container created then."""
    return change(None, kind=Kind.CREATE, observation=container("web", created=int(moment.timestamp())))


@pytest.mark.parametrize(
    ("columns", "is_rebinding"),
    [({"state": "stopped"}, True), ({"container_id": "c" * 64}, True), ({"image_ref": "app:2"}, False)],
)
def test_another_state_or_container_is_a_rebinding(columns: dict[str, str], is_rebinding: bool) -> None:
    assert change(BEFORE, replace(BEFORE, **columns)).is_rebinding is is_rebinding


def test_a_new_row_is_a_rebinding() -> None:
    assert change(None).is_rebinding is True


@pytest.mark.parametrize(
    ("made", "is_step"),
    [
        (change(BEFORE, replace(BEFORE, state="stopped")), True),
        (change(BEFORE, restarts=1), True),
        (change(BEFORE, restarts=0), False),
        (change(BEFORE, replace(BEFORE, health="healthy")), True),
        (change(BEFORE, replace(BEFORE, image_ref="app:2")), False),
    ],
)
def test_a_rebinding_a_restart_and_a_change_of_health_are_steps_of_the_history(made: Change, is_step: bool) -> None:
    assert made.is_step is is_step


@pytest.mark.parametrize(
    ("made", "is_told"),
    [
        (change(BEFORE, replace(BEFORE, image_ref="app:2")), True),
        (change(BEFORE, restarts=1), True),
        (change(BEFORE), False),
        (change(BEFORE, known=known(), details=known()), False),
        (change(BEFORE, known=known(), details=known(details_of="another")), False),
        (change(BEFORE, known=known(), details=known(restart_count=1)), True),
        (change(BEFORE, known=None, details=known(restart_count=1)), True),
        (change(BEFORE, known=known(), details=None), False),
    ],
)
def test_readers_are_told_of_what_they_see(made: Change, is_told: bool) -> None:
    assert made.is_told is is_told


@pytest.mark.parametrize("kind", [Kind.MISSING, Kind.RESTART])
def test_what_went_missing_or_was_restarted_is_the_daemons_doing(kind: Kind) -> None:
    assert change(BEFORE, kind=kind).is_news_since(LATER) is True


def test_a_row_that_moved_is_not_the_daemons_doing() -> None:
    assert change(BEFORE, replace(BEFORE, state="moved"), Kind.MOVED).is_news_since(LATER) is False


@pytest.mark.parametrize(("seconds", "is_news"), [(-1, False), (0, True), (1, True)])
def test_a_row_is_new_by_the_daemons_doing_if_its_container_was_created_since(seconds: int, is_news: bool) -> None:
    assert created_at(LATER + timedelta(seconds=seconds)).is_news_since(LATER) is is_news


def test_a_placeholder_is_bound_by_the_daemons_doing_if_its_container_was_created_since() -> None:
    bound = change(row("shop:web"), observation=container("web", created=int(LATER.timestamp())))
    assert (bound.is_news_since(LATER), bound.is_news_since(LATER + timedelta(seconds=1))) == (True, False)


def test_a_row_without_an_observation_is_not_the_daemons_doing() -> None:
    assert change(None).is_news_since(STARTED) is False


@pytest.mark.parametrize(
    ("before", "after", "is_news"),
    [
        (BEFORE, replace(BEFORE, state="stopped"), True),
        (BEFORE, BEFORE, False),
        (replace(BEFORE, state="failed"), BEFORE, False),
        (BEFORE, replace(BEFORE, container_id="c" * 64), True),
        (replace(BEFORE, state="failed"), replace(BEFORE, container_id="c" * 64), True),
    ],
)
def test_another_state_or_container_is_the_daemons_doing_unless_somebody_had_declared_it_failed(
    before: Row, after: Row, is_news: bool
) -> None:
    assert change(before, after).is_news_since(LATER) is is_news


def test_a_change_is_one_line() -> None:
    assert str(change(BEFORE)) == "update shop:web: a cause"
