"""Incidents in the feed: a reader with a cursor hears of each change of each incident once, in order (I16)."""

from collections.abc import Iterator

import pytest

from alerts import api
from alerts.models import Incident
from reconciler.models import Container, Feed, Transition
from tests.integration.alerts.world import WEB, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    """A world with a row that runs."""
    world = World()
    world.row()
    return world


class Reader:
    """Somebody who follows the feed, and hears of incidents."""

    def __init__(self) -> None:
        self.feed = Feed.of_this_database()
        self.cursor = self.feed.newest()

    def news(self) -> Iterator[Transition]:
        """Yield what the feed tells of incidents since the last time."""
        for entry in self.feed.changes_after(self.cursor, 1_000):
            self.cursor = self.feed.cursor(entry.pk)
            if entry.kind == "incident":
                yield entry

    def steps(self) -> list[tuple[str, str]]:
        """Return from which phase to which incidents have gone since the last time."""
        return [(entry.from_state, entry.to_state) for entry in self.news()]


def test_a_reader_hears_that_an_incident_opens_fires_is_acknowledged_clears_and_is_resolved(world: World) -> None:
    """I16."""
    reader = Reader()
    world.row(state="missing")
    world.wait(90)
    assert reader.steps() == [("", "pending"), ("pending", "firing")]
    api.acknowledge([Incident.objects.get().pk], by="olga")
    assert reader.steps() == [("firing", "firing")]
    world.row(state="running")
    world.wait(90)
    assert reader.steps() == [("firing", "clearing"), ("clearing", "resolved")]


def test_an_entry_names_the_incident_and_what_it_is_about(world: World) -> None:
    reader = Reader()
    world.row(state="failed")
    world.look()
    (entry,) = reader.news()
    made = Incident.objects.get()
    assert (entry.incident_id, entry.row_id, entry.host_id, entry.workload_id) == (made.pk, WEB, "west", "shop")
    assert (entry.cause, entry.at) == ("its deploy failed (page)", world.at)


def test_an_entry_of_an_incident_of_a_host_names_no_row(world: World) -> None:
    reader = Reader()
    world.is_dark = True
    world.wait(200)
    entry = list(reader.news())[-1]
    assert (entry.row_id, entry.host_id, entry.to_state) == ("", "west", "firing")


def test_who_has_acknowledged_is_told(world: World) -> None:
    world.row(state="failed")
    world.look()
    reader = Reader()
    api.acknowledge([Incident.objects.get().pk], by="olga")
    api.acknowledge([Incident.objects.get().pk], by="anna")
    assert [entry.cause for entry in reader.news()] == ["acknowledged by olga"]


def test_an_incident_that_comes_to_nothing_is_told_to_be_dropped(world: World) -> None:
    reader = Reader()
    world.row(state="missing")
    world.look()
    world.row(state="running")
    world.look()
    assert reader.steps() == [("", "pending"), ("pending", "dropped")]


def test_a_look_that_finds_nothing_new_tells_the_feed_nothing(world: World) -> None:
    world.row(state="failed")
    world.look()
    reader = Reader()
    world.wait(120)
    assert reader.steps() == []


def test_no_history_of_a_row_holds_its_incidents(world: World) -> None:
    world.row(state="failed")
    before = list(Transition.objects.of(WEB))
    world.look()
    assert list(Transition.objects.of(WEB)) == before


def test_a_reader_that_knows_containers_alone_goes_on_as_before(world: World) -> None:
    feed = Feed.of_this_database()
    cursor, known = feed.newest(), dict(Container.objects.values_list("id", "state"))
    world.row(state="failed")
    world.look()
    world.row(state="running")
    world.wait(30)
    for entry in feed.changes_after(cursor, 1_000):
        if entry.kind == "container":
            known[entry.row_id] = entry.to_state
    assert known == {WEB: "running"}
