"""Restarts and inspects in vain, through whole passes: each restart counts once, and nobody waits for ever."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from reconciler.core.inspects import MOST_IN_VAIN
from reconciler.core.last_inspect import DetailsState
from reconciler.core.observation import Details, Observation
from reconciler.core.report import Report, Trigger
from reconciler.exceptions import NoDetails
from reconciler.models import Container, Host, Transition
from reconciler.reconcile import reconcile
from tests.builders import STARTED, FakeEngine, cid, container, details, workload

pytestmark = pytest.mark.django_db

WEB = workload("shop", role="web")
SECONDS = 60


def fails(name: str = "web", *, stuck: bool = False) -> NoDetails:
    return NoDetails(cid(name), "answered HTTP 500", stuck=stuck)


def look(engine: FakeEngine) -> Report:
    report = reconcile(Host.objects.get(name="local"), engine, trigger=Trigger.TICK)
    assert report.outcome == "applied", report.error
    return report


def web() -> Any:
    return Container.objects.with_restarts().get(id="shop:web")


def restarts() -> list[int]:
    return list(Transition.objects.filter(restarts__gt=0).order_by("id").values_list("restarts", flat=True))


# two passes at once


@dataclass
class Interrupted(FakeEngine):
    """An Engine with which something happens before its first inspect."""

    before_inspect: Callable[[], object] | None = None

    def inspect(self, container_id: str, timeout_seconds: float) -> Details:
        """Return the details that the test gave."""
        happen, self.before_inspect = self.before_inspect, None
        if happen:
            happen()
        return super().inspect(container_id, timeout_seconds)


def overlap(older: FakeEngine, younger: Interrupted) -> Report:
    """Let an older pass apply while a younger one, which read the same rows, inspects; return the younger's report."""
    inspecting, applied = threading.Event(), threading.Event()
    reports: list[Report] = []

    def wait_for_the_older() -> None:
        inspecting.set()
        assert applied.wait(SECONDS)

    def make_the_younger() -> None:
        try:
            reports.append(look(younger))
        finally:
            inspecting.set()
            connection.close()

    thread = threading.Thread(target=make_the_younger)

    def begin_the_younger() -> None:
        thread.start()
        assert inspecting.wait(SECONDS)

    younger.before_inspect, older.meanwhile = wait_for_the_older, begin_the_younger
    look(older)
    applied.set()
    thread.join(SECONDS)
    return reports[0]


@pytest.mark.django_db(transaction=True)
def test_a_restart_counts_once_when_two_passes_find_it_at_the_same_time(local: Host) -> None:
    """I5, I7, I16."""
    look(FakeEngine([container("web", WEB)]))
    began = STARTED + timedelta(minutes=1)
    told = {"web": details(restart_count=1, started_at=began)}
    young, at = container("web", WEB, up_seconds=5), began + timedelta(seconds=5)
    report = overlap(
        FakeEngine([young], details=dict(told), answered_at=at),
        Interrupted([young], details=dict(told), answered_at=at),
    )
    assert (report.conflicts, restarts(), web().restarts_lately) == (1, [1], 1)


@pytest.mark.django_db(transaction=True)
def test_an_older_answer_does_not_overwrite_a_newer_one(local: Host) -> None:
    """I5, I16: the count would grow twice from it."""
    loop = container("web", WEB, state="restarting", exit_code=1)
    look(FakeEngine([loop]))
    report = overlap(
        FakeEngine([loop], details={"web": details(restart_count=5)}),
        Interrupted([loop], details={"web": details(restart_count=4)}),
    )
    assert (report.conflicts, web().restart_count) == (1, 5)
    look(FakeEngine([loop], details={"web": details(restart_count=6)}))
    assert restarts() == [5, 1]


@pytest.mark.django_db(transaction=True)
def test_a_change_that_writes_no_details_is_no_conflict_with_those_that_came_meanwhile(local: Host) -> None:
    look(FakeEngine([container("web", WEB)], details={"web": fails()}))
    report = overlap(
        FakeEngine([container("web", WEB)], details={"web": details(restart_count=3)}),
        Interrupted([container("web", WEB, port=80)], details={"web": fails()}),
    )
    assert (len(report.changes), web().port, web().restart_count) == (1, 80, 3)


# one inspect in vain


@pytest.mark.parametrize("stuck", [True, False])
def test_restarts_are_counted_from_the_last_known_count_after_an_inspect_in_vain(local: Host, stuck: bool) -> None:
    """I16."""
    look(FakeEngine([container("web", WEB)]))
    look(FakeEngine([container("web", WEB, state="restarting", exit_code=1)], details={"web": fails(stuck=stuck)}))
    assert (web().restart_count, web().oom_killed) == (0, None)
    told = details(restart_count=7, started_at=STARTED + timedelta(minutes=1))
    look(FakeEngine([container("web", WEB)], details={"web": told}))
    assert (restarts(), web().restarts_lately, Container.objects.looping().count()) == ([7], 7, 1)


def test_every_restart_is_counted_of_a_container_that_was_stuck_at_its_first_start(local: Host) -> None:
    """I16: all but the first, since the count before it was never known."""
    look(FakeEngine([container("web", WEB)], details={"web": fails(stuck=True)}))
    for minute in range(1, 11):
        began = STARTED + timedelta(minutes=minute)
        engine = FakeEngine([container("web", WEB, up_seconds=5)], answered_at=began + timedelta(seconds=5))
        engine.details = {"web": details(restart_count=minute, started_at=began)}
        look(engine)
    assert restarts() == [1] * 9


def test_a_restart_whose_inspect_failed_is_counted_when_the_container_is_no_longer_young(local: Host) -> None:
    """I16."""
    look(FakeEngine([container("web", WEB)]))
    began = STARTED + timedelta(minutes=5)
    engine = FakeEngine([container("web", WEB, up_seconds=9)], answered_at=began + timedelta(seconds=9))
    engine.details = {"web": fails()}
    look(engine)
    engine = FakeEngine([container("web", WEB)], answered_at=began + timedelta(minutes=2))
    engine.details = {"web": details(started_at=began)}
    look(engine)
    assert (restarts(), web().started_at) == ([1], began)


def test_a_loop_that_a_daemon_never_calls_restarting_is_counted_by_ticks_alone(local: Host) -> None:
    """I16: so does Podman; each tick finds the container stopped, with the same exit code."""
    for tick in range(1, 6):
        ended = STARTED + timedelta(seconds=30 * tick)
        stopped = container("web", WEB, state="stopped", exit_code=1, ended_seconds=3)
        told = details(exit_code=1, restart_count=10 * tick, started_at=ended, finished_at=ended)
        look(FakeEngine([stopped], details={"web": told}, answered_at=ended + timedelta(seconds=3)))
    assert (restarts(), web().restart_count) == ([10, 10, 10, 10], 50)


def test_a_container_that_stays_stopped_is_inspected_once_and_once_more_when_it_is_older(local: Host) -> None:
    """I10."""
    told = {"web": details(exit_code=1, finished_at=STARTED)}
    engine = FakeEngine(details=dict(told))
    for seconds in (0, 1, 20, 40, 59):
        engine.containers = [container("web", WEB, state="stopped", exit_code=1, ended_seconds=seconds)]
        engine.answered_at = STARTED + timedelta(seconds=seconds)
        look(engine)
    assert engine.inspected == [cid("web")] * 2


# many inspects in vain


def fleet(count: int, state: str = "running", **more: Any) -> list[Observation]:
    return [container(f"{state}{n}", workload("shop", role=f"{state}{n}"), state=state, **more) for n in range(count)]


def owed() -> int:
    return Container.objects.filter(details_state=DetailsState.OWED).count()


def test_inspects_that_all_fail_are_few_in_each_pass_and_rewrite_nothing(local: Host) -> None:
    """I11, I15: 200 containers, none of which can be inspected."""
    engine = FakeEngine(fleet(200))
    engine.details = {each.name: fails(each.name) for each in engine.containers}
    assert look(engine).inspected == MOST_IN_VAIN
    before = list(Container.objects.order_by("id").values("id", "updated_at"))
    assert [look(engine).inspected for _ in range(20)] == [MOST_IN_VAIN] * 20
    assert list(Container.objects.order_by("id").values("id", "updated_at")) == before
    assert len(set(engine.inspected)) > 40


def test_inspects_that_fail_now_and_then_stop_no_other_of_the_pass(local: Host) -> None:
    engine = FakeEngine(fleet(90))
    engine.details = {each.name: fails(each.name) for each in engine.containers[::3]}
    assert (look(engine).inspected, owed()) == (90, 30)


def test_once_inspects_work_again_all_details_are_known_within_a_few_passes(local: Host) -> None:
    engine = FakeEngine(fleet(250))
    engine.details = {each.name: fails(each.name) for each in engine.containers}
    for _ in range(3):
        look(engine)
    engine.details = {}
    assert [look(engine).inspected for _ in range(4)] == [100, 100, 50, 0]
    assert owed() == 0


def test_containers_that_cannot_be_inspected_hold_up_no_other(local: Host) -> None:
    """I15."""
    engine = FakeEngine(fleet(100))
    engine.details = {each.name: fails(each.name) for each in engine.containers[::4]}
    for _ in range(20):
        look(engine)
    assert owed() == 25


def test_loops_that_cannot_be_inspected_leave_room_for_what_is_owed(local: Host) -> None:
    """I15."""
    loops = fleet(30, "restarting", exit_code=1)
    engine = FakeEngine(loops)
    look(engine)
    engine.containers = [*loops, *fleet(150)]
    engine.details = {each.name: fails(each.name) for each in loops}
    for _ in range(3):
        look(engine)
    assert owed() == 0


def test_more_loops_than_a_pass_inspects_are_all_followed_and_leave_room_for_what_is_owed(local: Host) -> None:
    """I15."""
    loops = fleet(120, "restarting", exit_code=1)
    engine = FakeEngine(loops)
    for _ in range(2):
        look(engine)
    engine.containers = [*loops, *fleet(150, "stopped", exit_code=1)]
    for number in range(1, 21):
        engine.details = {each.name: details(restart_count=number, exit_code=1) for each in loops}
        look(engine)
    counts = list(Container.objects.filter(state="restarting").values_list("restart_count", flat=True))
    assert (owed(), len(counts), all(count is not None and count >= 15 for count in counts)) == (0, 120, True)


# a database of before


@pytest.mark.parametrize(
    ("container_id", "details_of", "restart_count", "state"),
    [
        ("a", "a", 0, DetailsState.TOLD),
        ("a", "a", None, DetailsState.STUCK),
        ("a", "", None, DetailsState.OWED),
        ("a", "b", 4, DetailsState.OWED),
        ("", "", None, DetailsState.OWED),
    ],
)
def test_a_database_of_before_says_of_its_details_how_they_stand(
    local: Host, container_id: str, details_of: str, restart_count: int | None, state: DetailsState
) -> None:
    bound = {"container_id": container_id, "details_of": details_of, "restart_count": restart_count}
    Container.objects.create(id="shop:web", workload_id="shop", **bound)
    migration = import_module("reconciler.migrations.0009_details_state")
    migration.tell_states(apps, connection.schema_editor())
    assert web().details_state == state
