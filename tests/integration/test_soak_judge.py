"""The judge of `make soak` is worth something: it sees every kind of lie that the index could tell."""

import time
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from reconciler import reconcile as passes
from reconciler.core.report import Trigger
from reconciler.core.safeguard import Verdict
from reconciler.engine import Engine as Client
from reconciler.models import Container, Host, Outage, OutageKind, Transition
from simulator import Engine, Failure, Server
from soak import soak
from soak.judge import TOLD_AFTER_SECONDS, compare, judge_history, judge_missing, watch_missing
from soak.record import GONE, Record, Span
from tests.acceptance.conftest import database_url
from tests.builders import workload

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("postgresql" not in connection.vendor, reason="the storm has PostgreSQL"),
]
ROLES = ("a", "b", "c", "d", "e", "f")
LONG = TOLD_AFTER_SECONDS + 10


class World:
    """A simulated Engine, the index that looks at it, the record of what was done to it, and the judge."""

    def __init__(self, simulator: Server, host: Host) -> None:
        self.engine = Engine()
        self.engine.add("shop", labels=workload("shop", role="web"))
        self._url = simulator.serve(self.engine)
        self._host = host
        self._ago = 0.0
        self.record = Record(lambda: time.time() - self._ago)
        self.database = database_url()
        watch_missing(self.database)
        for role in ROLES:
            key = self.engine.add(role, labels=workload("shop", role=role))
            self.note(key, "created", "running")
        (self.web,) = (key for key, each in self.engine.containers.items() if each.name == "shop")
        self.note(self.web, "created", "running")
        self.look()

    def note(self, key: str, *states: str, ago: float = 0.0) -> None:
        self._ago = ago
        self.record.note("local", key, *states)

    def look(self) -> None:
        client = Client(host="local", url=self._url, timeout_seconds=5)
        passes.reconcile(self._host, client, trigger=Trigger.TICK)
        self._host.refresh_from_db()

    def die(self) -> None:
        self.note(self.web, "stopped")
        self.engine.die(self.web)

    def faults(self) -> list[str]:
        verdicts = [judge(self.database, self.record) for judge in (judge_missing, compare, judge_history)]
        return [fault for verdict in verdicts for fault in verdict.faults]

    def row(self) -> Container:
        return Container.objects.get(container_id=self.web)


@pytest.fixture
def world(simulator: Server, local: Host) -> Iterator[World]:
    yield World(simulator, local)
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA soak CASCADE")


def test_an_index_that_is_right_is_acquitted(world: World) -> None:
    world.die()
    world.look()
    world.note(world.web, GONE)
    world.engine.destroy(world.web)
    world.look()
    assert world.faults() == []


def test_the_judge_sees_a_false_missing_of_a_moment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index without its safeguard believes a listing that is empty once."""
    monkeypatch.setattr(passes, "safeguard", lambda plan, *_: Verdict(plan=plan))
    world.engine.fail(Failure.EMPTY, times=1)
    world.look()
    world.look()
    assert not Container.objects.filter(state="missing").exists()
    assert len([fault for fault in world.faults() if "was called missing while it was there" in fault]) == 1 + len(
        ROLES
    )


def test_the_judge_sees_a_false_missing_before_the_container_is_removed(world: World) -> None:
    Container.objects.filter(pk=world.row().pk).update(state="missing")
    world.note(world.web, GONE)
    assert any("was called missing while it was there" in fault for fault in world.faults())


def test_the_judge_sees_a_row_that_is_stale(world: World) -> None:
    world.die()
    assert world.faults() == [f"local: {world.web[:12]} is told as running but is local stopped"]


def test_the_judge_sees_a_container_that_was_removed_and_is_still_told(world: World) -> None:
    world.note(world.web, GONE)
    assert world.faults() == [f"local: {world.web[:12]} is running although it was removed"]


def test_the_judge_sees_a_container_without_a_row(world: World) -> None:
    Container.objects.filter(container_id=world.web).delete()
    assert world.faults() == [f"local: {world.web[:12]}, running, has 0 present rows"]


def test_the_judge_sees_a_change_that_is_made_up(world: World) -> None:
    row = world.row()
    for before, after in (("running", "paused"), ("paused", "running")):
        told(row, before, after)
    (fault,) = world.faults()
    assert "tells 'paused', which did not happen" in fault


def test_the_judge_sees_a_change_that_is_told_twice(world: World) -> None:
    world.die()
    world.look()
    told(world.row(), "running", "stopped")
    (fault,) = world.faults()
    assert "tells 'stopped', which did not happen" in fault


def test_what_a_container_went_through_while_its_engine_was_killed_is_not_judged(world: World) -> None:
    world.record.doubt("local")
    told(world.row(), "running", "paused")
    assert world.faults() == []


def test_the_judge_sees_a_restart_that_is_made_up(world: World) -> None:
    told(world.row(), "running", "running", restarts=1)
    (fault,) = world.faults()
    assert "tells 'running', which did not happen" in fault


def test_the_judge_sees_history_of_a_container_that_never_was(world: World) -> None:
    told(world.row(), "running", "stopped", container_id="f" * 64)
    (fault,) = world.faults()
    assert "ffffffffffff tells 'stopped', which did not happen" in fault


def stop_for_long(world: World) -> None:
    """Let a container be stopped for long, and run again by now, while no pass looks."""
    world.note(world.web, "stopped", ago=LONG)
    world.note(world.web, "running")


def test_the_judge_sees_a_gap_that_no_outage_tells_of(world: World) -> None:
    stop_for_long(world)
    (fault,) = world.faults()
    assert "does not tell 'stopped', which lasted" in fault


def test_a_gap_that_an_outage_tells_of_is_no_fault(world: World) -> None:
    stop_for_long(world)
    now = timezone.now()
    began = now - timedelta(seconds=LONG)
    Outage.objects.create(host_id="local", kind=OutageKind.UNREACHABLE, began_at=began, noticed_at=began, ended_at=now)
    assert world.faults() == []


def test_a_gap_while_the_storm_itself_hid_the_host_is_no_fault(world: World) -> None:
    stop_for_long(world)
    world.record.note_unseen(Span(time.time() - LONG, time.time()))
    assert world.faults() == []


@pytest.mark.parametrize(
    "failing", [{"last_error": "timed out"}, {"condition_told": "stale"}, {"last_success_at": None}]
)
def test_the_judge_sees_a_host_that_has_not_recovered(world: World, failing: dict[str, str | None]) -> None:
    Host.objects.update(**failing)
    assert world.faults()[0].startswith("host local has not recovered: ")


def test_the_judge_sees_an_outage_that_has_not_ended(world: World) -> None:
    now = timezone.now()
    Outage.objects.create(host_id="local", kind=OutageKind.UNREACHABLE, began_at=now, noticed_at=now)
    assert world.faults() == ["host local has not recovered: its outage has not ended"]


def test_the_judge_does_not_wait_for_longer_than_it_promised(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "FILL_SECONDS", 0.5)
    monkeypatch.setattr(soak, "watch_missing", lambda _: None)
    crew = SimpleNamespace(revive=lambda: None, is_ready=lambda: True)
    stage: Any = SimpleNamespace(simulated={}, engines={}, crew=crew, postgres=SimpleNamespace(url=world.database))
    assert soak.Soak(stage, world.record).fill() == []
    Host.objects.update(last_error="timed out")
    (fault,) = soak.Soak(stage, world.record).fill()
    assert fault == "the first fill: not right after 0.5 s: host local has not recovered: timed out"


def told(row: Container, from_state: str, to_state: str, **columns: object) -> None:
    given = {"container_id": row.container_id, "host_id": "local", "at": timezone.now()} | columns
    Transition.objects.create(row_id=row.pk, from_state=from_state, to_state=to_state, **given)
