"""The judge on a real database: what it reads, and what it writes of each incident."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from alerts.core.conditions import Condition, Phase, Severity
from alerts.judging import judge_now
from alerts.models import Incident, Judge
from reconciler.core.labels import ALERTS
from reconciler.core.report import Trigger
from reconciler.models import Container, Deployment, Host, Outage, Transition, Workload
from reconciler.reconcile import reconcile
from tests.builders import FakeEngine, cid, container, workload
from tests.integration.alerts.world import START, WEB, World, phases, standing

pytestmark = pytest.mark.django_db


def test_an_incident_goes_from_pending_to_resolved_and_keeps_what_was_known_when_it_began() -> None:
    world = World()
    world.row()
    world.row(state="stopped", exit_code=3)
    world.look()
    assert phases() == [("ended", WEB, "pending")]
    world.wait(130)
    incident = Incident.objects.get()
    told = (incident.phase, incident.severity, incident.host, incident.workload_id, incident.exit_code)
    assert told == (Phase.FIRING, Severity.NOTIFY, "west", "shop", 3)
    assert (incident.state_before, incident.state, incident.cause) == ("running", "stopped", "it is stopped")
    assert (incident.since, incident.fired_at) == (START, START + timedelta(seconds=120))
    world.row(state="running")
    world.wait(80)
    assert phases() == [("ended", WEB, "resolved")]


def test_each_change_of_phase_has_a_number_of_its_own() -> None:
    world = World()
    world.row(state="missing")
    world.wait(80)
    world.row(state="running")
    world.look()
    world.row(state="missing")
    world.look()
    incident = Incident.objects.get()
    assert (incident.phase, incident.ordinal) == (Phase.FIRING, 3)


def test_what_came_to_nothing_leaves_nothing_behind() -> None:
    world = World()
    world.row(state="missing")
    world.look()
    world.row(state="running", container_id=cid("newer"))
    world.look()
    assert phases() == []


@pytest.mark.parametrize(
    ("columns", "condition"),
    [
        ({"state": "missing"}, "missing"),
        ({"state": "failed"}, "failed"),
        ({"state": "running", "health": "unhealthy"}, "unhealthy"),
        ({"state": "stopped", "exit_code": 2}, "ended"),
        ({"state": "created"}, "created"),
        ({"state": "", "container_id": ""}, "placeholder"),
        ({"workload_id": "nobody"}, "orphan"),
    ],
)
def test_finds_each_row_that_is_in_trouble(columns: dict[str, Any], condition: str) -> None:
    world = World()
    world.row("fine:web")
    world.row(**columns)
    world.look()
    assert [(name, subject) for name, subject, _ in phases()] == [(condition, WEB)]


def test_of_an_orphan_no_cause_and_no_moment_is_claimed_but_when_it_was_noticed() -> None:
    world = World()
    world.row()
    Workload.objects.all().delete()
    world.wait(30)
    incident = Incident.objects.get()
    known = (incident.condition, incident.cause, incident.state_before, incident.since)
    assert known == ("orphan", "", "", START + timedelta(seconds=10))


def test_a_container_that_restarts_again_and_again_is_in_a_loop_until_its_window_is_empty() -> None:
    world = World()
    world.row()
    restart(world, 3)
    world.look()
    assert standing() == ["looping"]
    world.wait(500)
    assert standing() == ["looping"]
    world.wait(120)
    assert phases() == [("looping", WEB, "resolved")]


def restart(world: World, times: int) -> None:
    told = {"row_id": WEB, "host_id": "west", "container_id": cid(WEB), "to_state": "running"}
    Transition.objects.create(**told, at=world.at, restarts=times)


def test_restarts_that_nobody_could_see_are_no_loop_until_they_go_on() -> None:
    """I18: a pass that ends an outage finds how often a container was restarted, and not when."""
    world = World()
    world.row()
    began = world.at - timedelta(hours=3)
    outage = {"host_id": "west", "kind": "unreachable", "began_at": began, "noticed_at": began}
    Outage.objects.create(**outage, ended_at=world.at)
    restart(world, 40)
    world.look()
    assert standing() == []
    world.wait(10)
    restart(world, 3)
    world.look()
    assert standing() == ["looping"]


def test_an_end_for_want_of_memory_is_told_even_if_the_container_runs_again_at_once() -> None:
    world = World()
    world.row()
    world.row(state="restarting", oom_killed=True)
    world.row(state="running", oom_killed=None)
    world.look()
    world.look()
    assert [(each.condition, each.phase, each.ordinal) for each in Incident.objects.all()] == [("oom", "firing", 1)]


def test_what_the_feed_told_before_the_first_look_is_not_told_any_more() -> None:
    Transition.objects.create(row_id=WEB, host_id="west", to_state="stopped", at=START, oom_killed=True)
    World()
    assert phases() == []


@pytest.mark.parametrize("target", [{"workload_id": "shop"}, {"row_id": WEB}])
def test_a_lease_mutes_what_it_names(target: dict[str, str]) -> None:
    world = World()
    world.row(state="missing")
    Deployment.objects.create(began_at=world.at, ends_at=world.at + timedelta(seconds=200), **target)
    world.wait(190)
    assert standing() == []
    world.wait(60)
    assert standing() == ["missing"]


def test_the_incident_of_a_host_stands_for_its_rows_and_says_why() -> None:
    world = World()
    world.row(state="missing")
    world.wait(30)
    world.is_dark = True
    world.wait(600)
    assert standing() == ["host"]
    assert Incident.objects.get(condition=Condition.HOST).host == "west"
    world.is_dark = False
    world.wait(120)
    assert standing() == ["missing"]


def test_drift_is_told_when_three_changes_came_without_events_within_an_hour() -> None:
    world = World()
    for seconds in (0, 4_000, 60, 60):
        world.at += timedelta(seconds=seconds)
        assert standing() == []
        Host.objects.filter(name="west").update(drift_found=Host.objects.get(name="west").drift_found + 1)
        world.look()
    assert standing() == ["drift"]


def test_a_host_that_nobody_looks_at_is_trouble_of_the_index_and_not_of_the_host() -> None:
    world = World()
    for _ in range(30):
        world.at += timedelta(seconds=10)
        judge_now(world.at, by_beat=True)
    assert standing() == ["no_worker"]
    assert Incident.objects.get().cause == "nobody looks at west"


def test_watchers_that_have_all_gone_are_told_of() -> None:
    world = World()
    world.is_watched = False
    world.wait(240)
    assert standing() == ["no_watcher"]


def test_a_host_that_nobody_has_followed_yet_does_not_hide_that_all_watchers_have_gone() -> None:
    world = World(is_watched=False)
    Host.objects.create(name="east", url="tcp://east:2375", last_success_at=START, last_attempt_at=START)
    Host.objects.filter(name="west").update(passes_asked=7)
    world.wait(140)
    assert "no_watcher" in standing()


def test_a_beat_that_asks_for_no_looks_is_told_of() -> None:
    world = World()
    Judge.objects.update(beat_at=START)
    for _ in range(20):
        world.at += timedelta(seconds=10)
        seen = {"last_attempt_at": world.at, "last_success_at": world.at, "watcher_alive_at": world.at}
        Host.objects.filter(name="west").update(**seen)
        judge_now(world.at)
    assert standing() == ["no_beat"]


def test_a_judge_that_was_overtaken_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """I18: of two judges that look at the same time, one writes."""
    world = World()
    world.row(state="failed")
    memory = Judge.of_this_database()
    Judge.objects.update(rounds=memory.rounds + 1)
    monkeypatch.setattr(Judge, "of_this_database", lambda: memory)
    assert judge_now(world.at).overtaken
    assert phases() == []


def test_an_incident_outlives_its_row() -> None:
    world = World()
    world.row(state="missing")
    world.wait(80)
    Container.objects.all().delete()
    Workload.objects.all().delete()
    world.look()
    assert phases() == [("missing", WEB, "resolved")]


def test_many_rows_take_no_more_statements_than_one() -> None:
    world = World()
    counts = []
    for number in (1, 40):
        for each in range(number):
            world.row(f"shop:{number}-{each}", state="missing")
        world.look()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            world.wait(10)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_a_label_on_a_container_switches_its_alerts_off(local: Host) -> None:
    """A pass notes it in the row."""
    Workload.objects.create(id="shop", ref_id="p1")
    engine = FakeEngine([container("web", workload("shop", role="web"), {ALERTS: "off"}, state="created")])
    reconcile(local, engine, trigger=Trigger.MANUAL)
    assert Container.objects.get().alerts == "off"
    Host.objects.update(watching_since=timezone.now(), watcher_alive_at=timezone.now())
    judge_now(timezone.now())
    assert phases() == []
    Container.objects.update(alerts="")
    judge_now(timezone.now())
    assert phases() == [("created", "shop:web", "pending")]
