"""Which rows are in trouble, and in which: the admin, the API and the pages say the same."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from reconciler.models import Container, Deployment, Host, Transition, Trouble
from reconciler.models.trouble import WORST_FIRST
from tests.builders import cid
from tests.pages import make_row

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("answering")]


def troubles() -> dict[str, Trouble | None]:
    """Return the worst trouble of each row."""
    rows = Container.objects.with_severity(timezone.now()).values_list("id", "severity")  # type: ignore[misc]
    return {row_id: WORST_FIRST[place] if place < len(WORST_FIRST) else None for row_id, place in rows}


def step(row: Container, seconds_ago: float, **columns: Any) -> None:
    at = timezone.now() - timedelta(seconds=seconds_ago)
    given = {"from_state": "", "to_state": row.state, "container_id": row.container_id}
    Transition.objects.create(row=row, host=row.host, at=at, **(given | columns))


@pytest.mark.parametrize(
    ("columns", "trouble"),
    [
        ({}, None),
        ({"state": "stopped", "exit_code": 0}, None),
        ({"state": "stopped", "exit_code": None}, None),
        ({"state": "stopped", "exit_code": 1}, Trouble.ENDED),
        ({"state": "stopped", "exit_code": 137, "oom_killed": True}, Trouble.OOM),
        ({"state": "missing"}, Trouble.MISSING),
        ({"state": "failed"}, Trouble.FAILED),
        ({"state": "restarting"}, Trouble.RESTARTING),
        ({"state": "paused"}, Trouble.PAUSED),
        ({"state": "removing"}, None),
        ({"health": "unhealthy"}, Trouble.UNHEALTHY),
        ({"health": "healthy"}, None),
        ({"has_workload": False}, Trouble.ORPHAN),
        ({"state": "", "container_id": ""}, None),
    ],
)
def test_a_row_is_in_this_trouble(columns: dict[str, Any], trouble: Trouble | None) -> None:
    make_row("shop:web", **columns)
    assert troubles() == {"shop:web": trouble}


@pytest.mark.parametrize(("minutes", "trouble"), [(9, None), (11, Trouble.STUCK)])
def test_a_container_that_is_created_for_ten_minutes_is_in_trouble(minutes: int, trouble: Trouble | None) -> None:
    step(make_row("shop:web", "created"), minutes * 60)
    assert troubles() == {"shop:web": trouble}


@pytest.mark.parametrize(("restarts", "trouble"), [([1, 1], None), ([1, 2], Trouble.LOOPING)])
def test_restarts_are_a_loop_from_three_on(restarts: list[int], trouble: Trouble | None) -> None:
    row = make_row("shop:web")
    for count in restarts:
        step(row, 60, restarts=count)
    assert troubles() == {"shop:web": trouble}


def test_restarts_of_an_earlier_container_or_of_long_ago_are_no_loop() -> None:
    row = make_row("shop:web")
    step(row, 60, restarts=5, container_id=cid("earlier"))
    step(row, 3600, restarts=5)
    assert troubles() == {"shop:web": None}


def test_of_a_host_that_does_not_answer_nothing_else_is_known() -> None:
    make_row("shop:web", "missing")
    Host.objects.update(last_error="connection refused")
    assert troubles() == {"shop:web": Trouble.UNKNOWN}


def test_whatever_the_worst_trouble_is_the_filter_for_any_finds_it() -> None:
    make_row("a:web", "paused")
    make_row("b:web", has_workload=False)
    make_row("c:web", "stopped", exit_code=1)
    make_row("d:web")
    found = Container.objects.in_trouble(Trouble.ANY).values_list("id", flat=True)
    assert list(found) == ["a:web", "b:web", "c:web"] == [each for each, trouble in troubles().items() if trouble]


def test_what_is_being_deployed_is_in_no_trouble_while_its_lease_lasts() -> None:
    make_row("shop:web", "missing")
    make_row("blog:web", "missing")
    now = timezone.now()
    Deployment.objects.create(workload_id="shop", began_at=now, ends_at=now + timedelta(minutes=5))
    assert troubles() == {"shop:web": None, "blog:web": Trouble.MISSING}
    assert [row.id for row in Container.objects.in_trouble()] == ["blog:web"]
    Deployment.objects.update(ends_at=timezone.now())
    assert troubles()["shop:web"] is Trouble.MISSING


def test_every_kind_of_trouble_can_be_asked_for() -> None:
    make_row("shop:web")
    assert [Container.objects.in_trouble(kind).count() for kind in Trouble] == [0] * len(Trouble)
