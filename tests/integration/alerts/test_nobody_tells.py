"""What is to be told and put into no messages is a trouble of the index, and no heartbeat hides it (I18)."""

from typing import Any, NoReturn

import pytest
from django.utils import timezone

from alerts import tasks
from alerts.models import Judge
from tests.channels import channel
from tests.integration.alerts.world import World, standing

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    """A world in which people are to be told of a row."""
    channel()
    world = World()
    world.row(state="failed")
    world.look()
    return world


def test_the_index_has_an_incident_if_what_is_to_be_told_is_put_into_no_messages(world: World) -> None:
    """I18."""
    world.wait(110)
    assert standing() == ["failed"]
    world.wait(20)
    assert standing() == ["failed", "deliveries"]


def test_what_waits_is_no_trouble_while_somebody_puts_into_messages_what_is_to_be_told(world: World) -> None:
    for _ in range(20):
        Judge.note_told(world.at)
        world.wait(10)
    assert standing() == ["failed"]


def test_nobody_misses_who_puts_into_messages_what_is_to_be_told_while_nothing_is() -> None:
    world = World()
    world.row(state="failed")
    world.wait(300)
    assert standing() == ["failed"]


def test_telling_people_notes_that_it_has_ended_well_and_not_that_it_has_failed(monkeypatch: Any) -> None:
    began = timezone.now()
    tasks.tell_people()
    told_at = Judge.objects.get().told_at
    assert told_at is not None
    assert told_at >= began

    def fail(_: object) -> NoReturn:
        raise OSError("the disk is full")

    monkeypatch.setattr(tasks, "bundle", fail)
    with pytest.raises(OSError, match="full"):
        tasks.tell_people()
    assert Judge.objects.get().told_at == told_at
