"""History and details of containers on a real Engine: killed, OOM-killed, stopped, looping, removed (I16)."""

import threading
from collections.abc import Callable

import pytest
from django.conf import settings
from docker.models.containers import Container as DockerContainer

from dev.engine_kinds import EngineKind, PrivateEngine
from reconciler.core.report import Trigger
from reconciler.engine import Engine
from reconciler.models import Container, Host, Transition
from reconciler.reconcile import reconcile
from tests.acceptance.conftest import Containers
from tests.builders import workload
from tests.waiting import eventually

pytestmark = pytest.mark.django_db

WEB = workload("shop", role="web")
EATS_MEMORY = ["sh", "-c", "sleep 1; tail /dev/zero"]


@pytest.fixture
def look(real_engine: PrivateEngine, local: Host) -> Callable[[], Container | None]:
    engine = Engine(host="local", url=real_engine.url, timeout_seconds=10)

    def look_once() -> Container | None:
        report = reconcile(local, engine, trigger=Trigger.MANUAL)
        assert report.outcome == "applied", report.error
        return Container.objects.with_restarts().filter(id="shop:web").first()

    return look_once


def look_until(look: Callable[[], Container | None], holds: Callable[[Container], object]) -> Container:
    """Make passes until the row is as a test expects it."""

    def found() -> Container | None:
        row = look()
        return row if row and holds(row) else None

    row = eventually(found, what="the row is as expected")
    assert row is not None
    return row


def steps() -> list[tuple[str, str, int | None]]:
    return [(step.from_state, step.to_state, step.exit_code) for step in Transition.objects.of("shop:web")]


def test_a_container_that_was_killed_is_stopped_with_its_exit_code(
    look: Callable[[], Container | None], containers: Containers
) -> None:
    made = containers.run(WEB)
    look_until(look, lambda row: row.state == "running")
    made.kill()
    row = look_until(look, lambda row: row.state == "stopped")
    assert (row.exit_code, row.oom_killed, row.restart_count) == (137, False, 0)
    assert row.started_at is not None
    assert row.finished_at is not None
    assert row.started_at < row.finished_at
    assert steps() == [("", "running", None), ("running", "stopped", 137)]


def test_a_container_that_was_killed_because_memory_ran_out_says_so(
    look: Callable[[], Container | None], containers: Containers, kind: EngineKind
) -> None:
    containers.run(WEB, command=EATS_MEMORY, mem_limit="16m", memswap_limit="16m")
    look_until(look, lambda row: row.state == "running")
    row = look_until(look, lambda row: row.state == "stopped")
    assert (row.exit_code, row.oom_killed) == (137, kind.tells_oom)
    last = Transition.objects.of("shop:web").last()
    assert last is not None
    assert (last.from_state, last.to_state, last.exit_code, last.oom_killed) == (
        "running",
        "stopped",
        137,
        kind.tells_oom,
    )


def test_a_container_that_was_stopped_and_started_again_has_both_in_its_history(
    look: Callable[[], Container | None], containers: Containers
) -> None:
    made = containers.run(WEB, command=["sh", "-c", "trap 'exit 3' TERM; while :; do sleep 0.1; done"], stop_signal="")
    first = look_until(look, lambda row: row.state == "running").started_at
    made.stop(timeout=10)
    row = look_until(look, lambda row: row.state == "stopped")
    assert (row.exit_code, row.oom_killed) == (3, False)
    made.start()
    row = look_until(look, lambda row: row.state == "running")
    assert (row.exit_code, row.finished_at is not None) == (None, True)
    assert row.started_at is not None
    assert first is not None
    assert row.started_at > first
    assert steps() == [("", "running", None), ("running", "stopped", 3), ("stopped", "running", None)]


def test_a_container_that_restarts_in_a_loop_is_shown_as_looping(
    look: Callable[[], Container | None], containers: Containers
) -> None:
    containers.run(WEB, command=["sh", "-c", "sleep 0.3; exit 7"], restart_policy={"Name": "always"})
    row = look_until(look, lambda row: row.restarts_lately >= 3)  # type: ignore[attr-defined]
    assert row.restart_count is not None
    assert row.restart_count >= 3
    assert list(Container.objects.looping()) == [row]
    assert Transition.objects.of("shop:web").downs().exists()


def test_a_loop_is_seen_by_looks_that_are_far_apart(
    look: Callable[[], Container | None], containers: Containers
) -> None:
    """Each look may find it restarting, and nothing else changed."""
    made = containers.run(WEB, command=["sh", "-c", "exit 7"], restart_policy={"Name": "always"})
    first = look_until(look, lambda row: row.restart_count is not None).restart_count
    assert first is not None
    eventually(lambda: restarts(made) >= first + settings.RESTART_LOOP_COUNT, what="it has restarted often enough")
    row = look_until(look, lambda row: row.restart_count != first)
    assert list(Container.objects.looping()) == [row]


def restarts(made: DockerContainer) -> int:
    """Return how often a container has restarted, by its Engine's word."""
    made.reload()
    return int(made.attrs["RestartCount"])


def test_a_container_restarted_between_two_looks_has_that_in_its_history(
    look: Callable[[], Container | None], containers: Containers
) -> None:
    """Also less than a second after its start: listings tell ages in whole seconds, and show the same one."""
    made = containers.run(WEB)
    look_until(look, lambda row: row.started_at)
    made.restart(timeout=0)
    look_until(look, lambda row: Transition.objects.of("shop:web").count() == 2)
    assert [(step.from_state, step.to_state, step.restarts) for step in Transition.objects.of("shop:web")][-1] == (
        "running",
        "running",
        1,
    )


def test_a_container_that_was_removed_goes_missing_and_stays_bound(
    look: Callable[[], Container | None], containers: Containers
) -> None:
    made = containers.run(WEB)
    look_until(look, lambda row: row.state == "running")
    made.remove(force=True)
    row = look_until(look, lambda row: row.state == "missing")
    assert row.container_id == made.id
    assert steps() == [("", "running", None), ("running", "missing", None)]


def test_a_container_that_could_not_be_started_has_the_exit_code_that_its_engine_gives(
    look: Callable[[], Container | None], containers: Containers, kind: EngineKind
) -> None:
    made = containers.create(WEB, command=["/no/such/program"])
    with pytest.raises(Exception, match=r"(?i)no such file"):
        made.start()
    row = look_until(look, lambda row: row.restart_count is not None)
    assert (row.state, row.exit_code, row.started_at) == ("created", kind.failed_start_code, None)
    assert reconcile_changes_nothing(look)


def test_a_container_that_was_told_to_end_lives_until_it_has_ended(
    look: Callable[[], Container | None], containers: Containers, kind: EngineKind
) -> None:
    slow = ["sh", "-c", "trap 'sleep 2; exit 3' TERM; while :; do sleep 0.1; done"]
    made = containers.run(WEB, command=slow, stop_signal="SIGTERM")
    look_until(look, lambda row: row.state == "running")
    stopping = threading.Thread(target=made.stop, kwargs={"timeout": 30})
    stopping.start()
    row = look_until(look, lambda row: row.state == kind.while_ending)
    assert row.exit_code is None
    stopping.join()
    row = look_until(look, lambda row: row.state == "stopped")
    assert (row.exit_code, row.container_id) == (3, made.id)


def reconcile_changes_nothing(look: Callable[[], Container | None]) -> bool:
    """Tell whether another pass leaves the row as it is (I10)."""
    before = list(Container.objects.values())
    look()
    return list(Container.objects.values()) == before
