"""The feed: every change that readers see, once, in the order of the commits (I16)."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from reconciler import feed
from reconciler.core.observation import Observation
from reconciler.core.report import Report, Trigger
from reconciler.exceptions import CursorTooOld, NoDetails
from reconciler.models import Container, Feed, Host, Instance, Transition, Workload, newest_position
from reconciler.prune import prune
from reconciler.reconcile import reconcile
from tests.builders import FakeEngine, cid, container, details, instance, workload

pytestmark = pytest.mark.django_db

WEB = workload("shop", role="web")
RUNNING = container("web", WEB)


def look(host: Host, *containers: Observation, **daemon: Any) -> Report:
    report = reconcile(Host.objects.get(name=host.name), FakeEngine(list(containers), **daemon), trigger=Trigger.EVENT)
    assert report.outcome == "applied", report.error
    return report


def news(cursor: str) -> list[Transition]:
    """Return what the feed tells of containers after a cursor."""
    changes = Feed.of_this_database().changes_after(cursor, 1_000)
    return [change for change in changes if change.kind == "container"]


def now() -> str:
    return Feed.of_this_database().newest()


def step(row_id: str = "shop:web", **columns: Any) -> Transition:
    given: dict[str, Any] = {"host_id": "local", "at": timezone.now(), "to_state": "running"}
    return Transition(row_id=row_id, **(given | columns))


# what is in it


@pytest.mark.parametrize(
    ("change", "cause"),
    [({"port": 80}, "port 0 → 80"), ({"image": "app:2"}, "image_ref app:1 → app:2")],
)
def test_a_change_of_any_column_is_in_the_feed_though_the_state_stays(
    local: Host, change: dict[str, Any], cause: str
) -> None:
    """I16."""
    look(local, RUNNING)
    cursor = now()
    look(local, container("web", WEB, **change))
    (entry,) = news(cursor)
    assert (entry.kind, entry.row_id, entry.from_state, entry.to_state) == (
        *("container", "shop:web"),
        *("running", "running"),
    )
    assert (entry.is_step, entry.cause) == (False, cause)


def test_a_column_that_is_copied_anew_is_in_the_feed(local: Host) -> None:
    """I16."""
    Workload.objects.create(id="w", kind="project", ref_id="p")
    Instance.objects.create(id="i", project_id="p", subdomain="old")
    look(local, container("web", instance("i")))
    cursor = now()
    Instance.objects.update(subdomain="new")
    look(local, container("web", instance("i")))
    assert [entry.cause for entry in news(cursor)] == ["subdomain old → new"]


def test_details_that_are_learnt_later_are_in_the_feed(local: Host) -> None:
    """I16."""
    look(local, RUNNING, details={"web": NoDetails(cid("web"), "answered HTTP 500")})
    cursor = now()
    look(local, RUNNING, details={"web": details(restart_count=2)})
    (entry,) = news(cursor)
    assert not entry.is_step
    assert entry.cause == "oom_killed none → no, restart_count none → 2, started_at none → 2026-11-24T06:00:00+00:00"


def test_how_the_details_came_to_be_known_is_not_in_the_feed(local: Host) -> None:
    look(local, RUNNING, details={"web": NoDetails(cid("web"), "answered HTTP 500")})
    cursor = now()
    look(local, RUNNING, details={"web": NoDetails(cid("web"), "did not answer", stuck=True)})
    assert (news(cursor), Container.objects.get().details_state) == ([], "stuck")


def test_the_beginning_and_the_end_of_a_row_are_in_the_feed(local: Host) -> None:
    """I16."""
    cursor = now()
    look(local, RUNNING)
    look(local)
    Container.objects.update(updated_at=timezone.now() - timedelta(days=31), last_seen_at=None)
    prune(timezone.now())
    assert [(entry.from_state, entry.to_state) for entry in news(cursor)] == [
        ("", "running"),
        ("running", "missing"),
        ("missing", "gone"),
    ]


def test_a_sighting_alone_is_not_in_the_feed(local: Host) -> None:
    """I11."""
    look(local, RUNNING)
    cursor = now()
    Host.objects.update(sightings_at=None)
    before = timezone.now()
    look(local, RUNNING)
    assert news(cursor) == []
    assert Container.objects.filter(last_seen_at__gte=before).exists()


# cursors


def test_a_reader_gets_the_changes_after_its_cursor_at_most_so_many_at_a_time(local: Host) -> None:
    cursor = now()
    feed.append([step(f"shop:{number}") for number in range(5)])
    this = Feed.of_this_database()
    first = this.changes_after(cursor, 3)
    rest = this.changes_after(this.cursor(first[-1].pk), 3)
    assert [entry.row_id for entry in [*first, *rest]] == [f"shop:{number}" for number in range(5)]
    assert this.changes_after(this.newest(), 3) == []


def test_a_list_and_its_position_come_from_one_statement(local: Host) -> None:
    look(local, RUNNING)
    row: Any = Container.objects.annotate(position=newest_position()).get()
    assert Feed.of_this_database().cursor(row.position) == now()


def test_a_cursor_from_before_what_was_pruned_is_too_old(local: Host) -> None:
    """I16: what is missing is never passed over in silence."""
    before = now()
    feed.append([step(), step(at=timezone.now() - timedelta(days=91), is_step=False)])
    after = now()
    assert len(news(before)) == 2
    feed.append([step()])
    prune(timezone.now())
    with pytest.raises(CursorTooOld):
        news(before)
    assert len(news(after)) == 1


def test_the_newest_cursor_stays_good_when_its_entry_is_pruned(local: Host) -> None:
    feed.append([step("gone", at=timezone.now() - timedelta(days=91))])
    cursor = now()
    prune(timezone.now())
    assert (Transition.objects.count(), now(), news(cursor)) == (0, cursor, [])


def test_a_cursor_from_the_future_is_too_old(local: Host) -> None:
    """A backup was restored, for example."""
    feed.append([step()])
    cursor = now()
    Transition.objects.all().delete()
    with pytest.raises(CursorTooOld):
        news(cursor)


def test_a_cursor_of_another_database_is_too_old(local: Host) -> None:
    cursor = now()
    Feed.objects.all().delete()
    with pytest.raises(CursorTooOld):
        news(cursor)
