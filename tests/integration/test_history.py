"""Transitions, details and the signal: what a pass writes in addition to the rows."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from reconciler import feed, store
from reconciler.core.observation import Observation
from reconciler.core.report import Report, Trigger
from reconciler.exceptions import NoDetails
from reconciler.models import Container, Host, Transition
from reconciler.reconcile import reconcile
from reconciler.signals import containers_changed
from tests.builders import STARTED, FakeEngine, cid, container, details, workload

pytestmark = pytest.mark.django_db

WEB = workload("shop", role="web")
RUNNING = container("web", WEB)
STOPPED = container("web", WEB, state="stopped", exit_code=137)
HOUR = timedelta(hours=1)
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def look(host: Host, *containers: Observation, **daemon: Any) -> Report:
    report = reconcile(Host.objects.get(name=host.name), FakeEngine(list(containers), **daemon), trigger=Trigger.EVENT)
    assert report.outcome == "applied", report.error
    return report


def web() -> Any:
    return Container.objects.with_restarts().get(id="shop:web")


def history() -> list[tuple[str, str, str]]:
    steps = Transition.objects.of("shop:web")
    return [(step.from_state, step.to_state, step.cause) for step in steps]


def at(moment: datetime, from_state: str, to_state: str, **columns: Any) -> Transition:
    return Transition.objects.create(
        row_id="shop:web", host_id="local", at=moment, from_state=from_state, to_state=to_state, **columns
    )


# what is written


def test_each_change_of_state_is_a_transition(local: Host) -> None:
    """I16."""
    look(local, RUNNING)
    look(local, STOPPED)
    look(local)
    short = cid("web")[:12]
    assert history() == [
        ("", "running", f"container {short} (web) is running"),
        ("running", "stopped", "state running → stopped, exit_code none → 137"),
        ("stopped", "missing", f"container {short} is not in the listing (was stopped)"),
    ]


def test_a_transition_says_where_when_why_and_how_it_ended(local: Host) -> None:
    look(local, RUNNING)
    listed_at: list[datetime] = []
    dead = {"web": details(exit_code=137, oom_killed=True, finished_at=STARTED)}
    look(local, STOPPED, details=dead, meanwhile=lambda: listed_at.append(timezone.now()))
    step = Transition.objects.of("shop:web").latest("at")
    assert (step.host_id, step.container_id, step.trigger) == ("local", cid("web"), "event")
    assert (step.exit_code, step.oom_killed) == (137, True)
    assert listed_at[0] <= step.at <= timezone.now()


def test_a_change_of_the_bound_container_is_a_transition(local: Host) -> None:
    """I16."""
    look(local, RUNNING)
    look(local, container("new", WEB))
    step = Transition.objects.latest("id")
    assert (step.from_state, step.to_state, step.container_id) == ("running", "running", cid("new"))


def test_a_change_of_health_is_a_transition_that_says_since_when(local: Host) -> None:
    """I16."""
    look(local, container("web", WEB, health="starting"))
    before = timezone.now()
    look(local, container("web", WEB, health="unhealthy"))
    began, sick = Transition.objects.of("shop:web")
    assert (began.from_health, began.to_health) == ("", "starting")
    assert (sick.from_state, sick.to_state, sick.from_health, sick.to_health) == (
        *("running", "running"),
        *("starting", "unhealthy"),
    )
    assert (sick.cause, sick.at >= before) == ("health starting → unhealthy", True)


@pytest.mark.parametrize("change", [{"port": 80}, {"image": "app:2"}])
def test_no_other_change_is_a_transition(local: Host, change: dict[str, Any]) -> None:
    look(local, RUNNING)
    assert look(local, container("web", WEB, **change)).updated == 1
    assert len(history()) == 1


def test_an_unchanged_world_writes_no_history(local: Host) -> None:
    """I10."""
    look(local, RUNNING)
    look(local, RUNNING)
    assert len(history()) == 1


def test_a_dropped_change_leaves_no_history(local: Host) -> None:
    """I5, I16."""
    look(local, RUNNING)
    report = look(local, STOPPED, meanwhile=lambda: Container.objects.update(container_id=cid("new")))
    assert (report.conflicts, len(history())) == (1, 1)


def test_a_row_made_by_somebody_else_meanwhile_leaves_no_history(local: Host) -> None:
    """I5, I16."""
    look(local, RUNNING, meanwhile=lambda: Container.objects.create(id="shop:web", workload_id="shop"))
    assert history() == []


def test_history_is_written_with_the_change_or_not_at_all(local: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """I16."""
    driver_error = cast(Any, connection).Database.OperationalError
    look(local, RUNNING)

    def append_and_fail(entries: list[Transition]) -> None:
        append(entries)
        raise driver_error("disk full")

    append = feed.append
    monkeypatch.setattr(feed, "append", append_and_fail)
    with pytest.raises(driver_error), transaction.atomic():
        reconcile(local, FakeEngine([STOPPED]), trigger=Trigger.EVENT)
    assert (web().state, len(history())) == ("running", 1)


# details


def test_details_are_written_with_the_row(local: Host) -> None:
    told = details(exit_code=137, oom_killed=True, restart_count=4, finished_at=STARTED + HOUR)
    look(local, STOPPED, details={"web": told})
    row = web()
    assert (row.exit_code, row.oom_killed, row.restart_count) == (137, True, 4)
    assert (row.started_at, row.finished_at, row.details_of) == (STARTED, STARTED + HOUR, cid("web"))


def test_a_second_pass_inspects_nothing(local: Host) -> None:
    """I10."""
    look(local, RUNNING)
    assert look(local, RUNNING).inspected == 0


@pytest.mark.parametrize("stuck", [True, False])
def test_a_failed_inspect_costs_the_details_and_never_the_row(local: Host, stuck: bool) -> None:
    """I8."""
    look(local, RUNNING, details={"web": details(restart_count=1)})
    look(local, STOPPED, details={"web": NoDetails(cid("web"), "did not answer", stuck=stuck)})
    row = web()
    assert (row.state, row.exit_code) == ("stopped", 137)
    assert (row.oom_killed, row.finished_at, row.restart_count, row.started_at) == (None, None, 1, STARTED)
    assert (row.details_of, row.details_state) == (cid("web"), "stuck" if stuck else "owed")


def test_what_a_failed_inspect_owes_the_next_pass_pays(local: Host) -> None:
    look(local, STOPPED, details={"web": NoDetails(cid("web"), "answered HTTP 500")})
    report = look(local, STOPPED, details={"web": details(exit_code=137, oom_killed=True)})
    assert (report.inspected, report.changes, web().oom_killed) == (1, (), True)
    assert look(local, STOPPED).inspected == 0


def test_a_stuck_container_is_not_asked_for_again_until_it_changes(local: Host) -> None:
    look(local, STOPPED, details={"web": NoDetails(cid("web"), "sent nothing", stuck=True)})
    assert look(local, STOPPED).inspected == 0
    assert look(local, RUNNING).inspected == 1


def test_inspects_are_bounded_in_number_and_the_rest_is_owed(local: Host, settings: Any) -> None:
    """I19."""
    settings.INSPECT_MOST = 3
    many = [container(f"c{number}", workload("shop", role=f"r{number}")) for number in range(8)]
    assert [look(local, *many).inspected for _ in range(4)] == [3, 3, 2, 0]
    assert not Container.objects.filter(restart_count=None).exists()


def test_inspects_are_bounded_in_time(local: Host, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """I19."""
    settings.INSPECT_SECONDS = 1
    passed = iter([0.0, 0.4, 0.8, 1.2])
    monkeypatch.setattr("reconciler.reconcile.time.monotonic", lambda: next(passed))
    many = [container(f"c{number}", workload("shop", role=f"r{number}")) for number in range(8)]
    assert look(local, *many).inspected == 2


def test_an_inspect_that_had_less_than_its_share_is_owed_and_not_given_up(
    local: Host, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.INSPECT_SECONDS = 1
    passed = iter([0.0, 0.0, 0.8, 2.0])
    monkeypatch.setattr("reconciler.reconcile.time.monotonic", lambda: next(passed))
    stuck = {name: NoDetails(cid(name), "sent nothing", stuck=True) for name in ("a", "b", "c")}
    look(local, *(container(name, workload("shop", role=name)) for name in ("a", "b", "c")), details=stuck)
    assert sorted(Container.objects.values_list("details_state", flat=True)) == ["owed", "owed", "stuck"]


def test_an_inspect_gets_no_more_than_what_is_left(local: Host, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """I19."""
    settings.INSPECT_SECONDS = 1
    passed = iter([0.0, 0.0, 0.75, 2.0])
    monkeypatch.setattr("reconciler.reconcile.time.monotonic", lambda: next(passed))
    engine = FakeEngine([container(name, workload("shop", role=name)) for name in ("a", "b", "c")])
    reconcile(local, engine, trigger=Trigger.EVENT)
    assert engine.given_seconds == [0.5, 0.25]


def test_a_redeploy_beside_an_old_container_whose_details_are_owed_is_one_change(local: Host) -> None:
    """I5: PostgreSQL, unlike SQLite, refuses an upsert that holds a row twice."""
    old = container("old", WEB, created=1)
    look(local, old, details={"old": NoDetails(cid("old"), "answered HTTP 500")})
    report = look(local, old, container("new", WEB, created=2))
    assert (report.updated, web().container_id, len(history())) == (1, cid("new"), 2)
    assert look(local, old, container("new", WEB, created=2)).changes == ()


def test_details_of_the_container_before_go_when_a_deployer_binds_the_next(local: Host) -> None:
    look(local, STOPPED, details={"web": details(exit_code=137, oom_killed=True, restart_count=12)})
    Container.objects.update(container_id=cid("new"), state="created")
    look(local, container("new", WEB, state="created"), details={"new": NoDetails(cid("new"), "answered HTTP 500")})
    assert (web().exit_code, web().oom_killed, web().restart_count) == (None, None, None)
    assert len(history()) == 1


def test_no_inspect_is_made_of_a_dry_run(local: Host) -> None:
    engine = FakeEngine([RUNNING])
    reconcile(local, engine, trigger=Trigger.MANUAL, dry_run=True)
    assert engine.inspected == []


def test_another_containers_details_do_not_stay(local: Host) -> None:
    look(local, RUNNING, details={"web": details(restart_count=7)})
    look(local, container("new", WEB), details={"new": NoDetails(cid("new"), "gone")})
    assert web().restart_count is None


def test_a_change_an_inspect_knows_nothing_of_leaves_the_details(local: Host) -> None:
    look(local, RUNNING, details={"web": details(restart_count=7)})
    look(local, container("web", WEB, port=80))
    assert (web().port, web().restart_count) == (80, 7)


# restarts


def restart(host: Host, count: int, minute: int) -> None:
    began = STARTED + timedelta(minutes=minute)
    told = details(restart_count=count, started_at=began)
    daemon = {"details": {"web": told}, "answered_at": began + timedelta(seconds=2)}
    look(host, container("web", WEB, up_seconds=2), **daemon)


def test_a_restart_between_two_looks_is_in_the_history(local: Host) -> None:
    """I16."""
    look(local, RUNNING)
    restart(local, 2, minute=1)
    step = Transition.objects.latest("id")
    assert (step.from_state, step.to_state, step.restarts) == ("running", "running", 2)
    assert (web().restart_count, web().started_at) == (2, STARTED + timedelta(minutes=1))


def test_a_restart_loop_shows_as_such(local: Host) -> None:
    look(local, RUNNING)
    restart(local, 1, minute=1)
    assert not Container.objects.looping().exists()
    restart(local, 3, minute=2)
    assert web().restarts_lately == 3
    assert Container.objects.looping().exists()


def test_a_loop_that_was_is_none_any_more(local: Host) -> None:
    look(local, RUNNING)
    restart(local, 5, minute=1)
    assert not Container.objects.looping(timezone.now() + timedelta(seconds=601)).exists()


def test_the_restarts_of_the_container_before_are_not_this_ones(local: Host) -> None:
    look(local, RUNNING)
    restart(local, 5, minute=1)
    look(local, container("new", WEB))
    assert web().restarts_lately == 0


# questions


def test_when_it_went_down(local: Host) -> None:
    at(NOON, "", "running")
    at(NOON + HOUR, "running", "stopped", exit_code=1)
    at(NOON + 2 * HOUR, "stopped", "running")
    down = Transition.objects.of("shop:web").downs().last()
    assert down is not None
    assert (down.at, down.exit_code) == (NOON + HOUR, 1)


def test_how_often_it_went_down(local: Host) -> None:
    at(NOON - timedelta(days=8), "running", "stopped")
    at(NOON, "stopped", "running")
    at(NOON + HOUR, "running", "restarting", restarts=1)
    at(NOON + HOUR, "restarting", "running")
    at(NOON + 2 * HOUR, "running", "running", restarts=2)
    at(NOON + 3 * HOUR, "running", "running", container_id=cid("new"))
    at(NOON + 4 * HOUR, "running", "missing")
    assert Transition.objects.of("shop:web").since(NOON - timedelta(days=7)).downs().count() == 3


def test_history_is_in_the_order_of_its_commits_whatever_the_clocks_say(local: Host) -> None:
    """I16: the second worker's clock is behind the first one's."""
    at(NOON - HOUR, "", "running")
    at(NOON + timedelta(seconds=0.4), "running", "stopped")
    at(NOON + timedelta(seconds=0.3), "stopped", "running")
    story = Transition.objects.of("shop:web")
    assert [step.to_state for step in story] == ["running", "stopped", "running"]
    assert Transition.objects.all()[0].to_state == "running"


def test_a_row_whose_host_is_removed_ends_its_history(local: Host) -> None:
    """I16."""
    look(Host.objects.create(name="west"), RUNNING)
    call_command("host", "remove", "west", "--with-rows", stdout=io.StringIO())
    story = Transition.objects.of("shop:web@west")
    _, end = story
    assert (end.from_state, end.to_state, end.container_id, end.host_id) == ("running", "gone", cid("web"), "west")
    assert end.cause == "host west was removed with its rows"


def test_the_end_of_a_row_is_written_with_its_removal_or_not_at_all(local: Host) -> None:
    """I16."""
    look(local, RUNNING)
    with transaction.atomic():
        assert store.end_rows(Container.objects.all(), "a test", timezone.now()) == 1
        assert history()[-1] == ("running", "gone", "a test")
        transaction.set_rollback(True)
    assert (Container.objects.count(), len(history())) == (1, 1)


def test_history_is_of_a_row_alone(local: Host) -> None:
    at(NOON, "running", "stopped")
    Transition.objects.create(row_id="shop:db", host_id="local", at=NOON, from_state="running", to_state="stopped")
    assert Transition.objects.of(Container(id="shop:web")).count() == 1


# the signal


@pytest.fixture
def heard() -> Iterator[list[dict[str, Any]]]:
    calls: list[dict[str, Any]] = []

    def hear(**given: Any) -> None:
        calls.append(given | {"in_transaction": connection.in_atomic_block})

    containers_changed.connect(hear)
    yield calls
    containers_changed.disconnect(hear)


@pytest.mark.django_db(transaction=True)
def test_who_listens_is_told_after_the_commit(local: Host, heard: list[dict[str, Any]]) -> None:
    """I16."""
    look(local, RUNNING)
    (told,) = heard
    assert (told["sender"], told["host"], told["in_transaction"]) == (Container, "local", False)
    assert [(step.row_id, step.to_state, step.pk is not None) for step in told["transitions"]] == [
        ("shop:web", "running", True)
    ]


@pytest.mark.django_db(transaction=True)
def test_who_listens_is_told_that_a_row_is_gone(local: Host, heard: list[dict[str, Any]]) -> None:
    look(Host.objects.create(name="west"), RUNNING)
    call_command("host", "remove", "west", "--with-rows", stdout=io.StringIO())
    assert [(step.row_id, step.to_state) for step in heard[-1]["transitions"]] == [("shop:web@west", "gone")]
    assert (heard[-1]["host"], heard[-1]["in_transaction"]) == ("west", False)


@pytest.mark.django_db(transaction=True)
def test_nobody_is_told_of_nothing(local: Host, heard: list[dict[str, Any]]) -> None:
    look(local, RUNNING)
    look(local, RUNNING)
    look(local, container("web", WEB, port=80))
    assert len(heard) == 1


@pytest.mark.django_db(transaction=True)
def test_who_listens_is_told_of_a_change_of_health(local: Host, heard: list[dict[str, Any]]) -> None:
    look(local, RUNNING)
    look(local, container("web", WEB, health="unhealthy"))
    assert [step.to_health for step in heard[-1]["transitions"]] == ["unhealthy"]


@pytest.mark.django_db(transaction=True)
def test_a_listener_that_fails_harms_nobody(local: Host, heard: list[dict[str, Any]]) -> None:
    def fail(**_: object) -> None:
        raise ValueError("a receiver's own mistake")

    later: list[Any] = []

    def hear_after(**given: Any) -> None:
        later.append(given)

    for receiver in (fail, hear_after):
        containers_changed.connect(receiver)
    try:
        look(local, RUNNING)
    finally:
        for receiver in (fail, hear_after):
            containers_changed.disconnect(receiver)
    assert (web().state, len(heard), len(later)) == ("running", 1, 1)


@pytest.mark.django_db(transaction=True)
def test_nobody_is_told_of_a_pass_that_was_overtaken(local: Host, heard: list[dict[str, Any]]) -> None:
    """I6, I16."""
    reconcile(local, FakeEngine([RUNNING], meanwhile=lambda: look(local)), trigger=Trigger.TICK)
    assert heard == []
