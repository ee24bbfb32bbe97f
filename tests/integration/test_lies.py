"""In every way in which a daemon can fail or lie once: no row is falsely called missing."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import F

from reconciler.core.last_inspect import DetailsState
from reconciler.core.report import Report, Trigger
from reconciler.engine import Engine as Client
from reconciler.models import Container, Host, Instance, Stack, Transition, Workload
from reconciler.reconcile import reconcile
from simulator import INSPECTS, Engine, Failure, Server, populate
from simulator import Container as SimulatedContainer
from tests.builders import workload
from tests.holds import age_holds

pytestmark = pytest.mark.django_db

CONTAINERS = 50
TIMEOUT_SECONDS = 1.0
NO_ID = b'{"Names": ["/nameless"], "State": "running"}'


class World:
    """A simulated daemon with fifty containers, its host and its rows."""

    def __init__(self, simulator: Server, host: Host) -> None:
        self.simulator = simulator
        self.engine = Engine()
        for number in range(CONTAINERS):
            self.engine.add(f"c{number}", labels=workload("shop", role=f"r{number}"))
        self.url = simulator.serve(self.engine)
        self.host = host
        self.look()

    def look(self) -> Report:
        client = Client(host="local", url=self.url, timeout_seconds=TIMEOUT_SECONDS)
        return reconcile(self.host, client, trigger=Trigger.TICK)

    def lose(self, count: int) -> list[SimulatedContainer]:
        """Leave containers out of the listing, without an event, and return them."""
        lost = list(self.engine.containers.values())[:count]
        for each in lost:
            self.engine.world.remove(each.id)
        return lost

    def states(self) -> set[str]:
        return set(Container.objects.values_list("state", flat=True))


@pytest.fixture
def world(simulator: Server, local: Host) -> World:
    return World(simulator, local)


def fails(failure: Failure, path: str | None = None, **more: Any) -> Callable[[World], object]:
    return lambda world: world.engine.fail(failure, path, **more)


def replaced(world: World) -> None:
    """Let another daemon, with another identity and few containers, answer at the same address."""
    port = int(world.url.rpartition(":")[2])
    world.simulator.close(world.engine)
    other = Engine(engine_id="SIM:OTHER")
    other.add("c0", labels=workload("shop", role="r0"))
    world.simulator.serve(other, port=port)


def nearly_all_there_but_another(world: World) -> None:
    """Let another daemon answer that has all containers but one."""
    world.engine.engine_id = "SIM:OTHER"
    world.lose(1)


WAYS: dict[str, Callable[[World], object]] = {
    "down": lambda world: world.simulator.close(world.engine),
    "refuses": fails(Failure.REFUSED),
    "hangs": fails(Failure.HANG),
    "hangs at the version": fails(Failure.HANG, "/version"),
    "errs": fails(Failure.ERROR),
    "errs with an empty list": fails(Failure.ERROR, status=500, message="[]"),
    "says no content": fails(Failure.ERROR, status=204),
    "redirects": fails(Failure.ERROR, status=302),
    "sends half a body": fails(Failure.TRUNCATED),
    "sends half a chunked body": fails(Failure.TRUNCATED_CHUNKED),
    "sends no JSON": fails(Failure.NOT_JSON),
    "sends an object": fails(Failure.NOT_A_LIST),
    "sends null": fails(Failure.NOT_A_LIST, body=b"null"),
    "sends nothing": fails(Failure.NOT_A_LIST, body=b""),
    "sends a list and more": fails(Failure.NOT_A_LIST, body=b"[][]"),
    "drips": fails(Failure.DRIP, every=0.05),
    "is too new": fails(Failure.VERSION),
    "sends an empty list": fails(Failure.EMPTY),
    "sends a list of nulls": fails(Failure.NOT_A_LIST, body=b"[null, null]"),
    "sends an item without an id": fails(Failure.NOT_A_LIST, body=b"[" + NO_ID + b"]"),
    "lists fewer than half": lambda world: world.lose(CONTAINERS // 2 + 1),
    "is another daemon": replaced,
    "is another daemon that lacks one container": nearly_all_there_but_another,
}


@pytest.mark.parametrize("way", WAYS)
def test_nothing_goes_missing_because_a_daemon_failed_or_lied_once(world: World, way: str) -> None:
    """I1, I3."""
    WAYS[way](world)
    world.look()
    assert (world.states(), Transition.objects.filter(to_state="missing").count()) == ({"running"}, 0)


@pytest.mark.parametrize("way", WAYS)
def test_nothing_goes_missing_because_a_daemon_failed_or_lied_twice_at_once(world: World, way: str) -> None:
    """I1, I3: a pass that follows at once does not count as the second listing."""
    WAYS[way](world)
    for _ in range(3):
        world.look()
    assert world.states() == {"running"}


def test_an_empty_list_after_fifty_containers_is_held_confirmed_and_then_swept(world: World) -> None:
    """I14."""
    world.lose(CONTAINERS)
    assert (world.look().held, world.states()) == (CONTAINERS, {"running"})
    age_holds(6)
    assert (world.look().missing, world.states()) == (CONTAINERS, {"missing"})


def test_half_the_rows_gone_is_held_confirmed_and_then_swept(world: World) -> None:
    """I14."""
    world.lose(CONTAINERS // 2 + 1)
    assert world.look().held == CONTAINERS // 2 + 1
    age_holds(6)
    assert world.look().missing == CONTAINERS // 2 + 1


def test_a_replaced_engine_is_accepted_once_confirmed(world: World) -> None:
    """I14."""
    replaced(world)
    assert world.look().hold_reason.startswith("the Engine is SIM:OTHER, and was SIM:")
    age_holds(6)
    assert world.look().missing == CONTAINERS - 1
    assert Host.objects.get(name="local").engine_id == "SIM:OTHER"


def test_a_lie_that_ends_leaves_no_trace_but_a_hold_that_is_lifted(world: World) -> None:
    """I14."""
    world.engine.fail(Failure.EMPTY, times=1)
    world.look()
    assert Host.objects.get(name="local").held_since is not None
    world.look()
    assert (world.states(), Host.objects.get(name="local").held_since) == ({"running"}, None)


def test_a_pass_with_inspects_that_fail_at_random_has_every_row_right(world: World) -> None:
    """I8."""
    world.engine.fail(Failure.RANDOM_ERROR, INSPECTS, rate=0.5)
    for container_id in list(world.engine.containers)[::2]:
        world.engine.die(container_id, 3, oom=True)
    world.look()
    stopped = Container.objects.filter(state="stopped")
    assert (stopped.count(), set(stopped.values_list("exit_code", flat=True))) == (CONTAINERS // 2, {3})
    assert 0 < stopped.filter(oom_killed=True).count() < CONTAINERS // 2


def test_what_failed_at_random_is_known_in_the_end(world: World) -> None:
    world.engine.fail(Failure.RANDOM_ERROR, INSPECTS, rate=0.5)
    for container_id in list(world.engine.containers):
        world.engine.die(container_id, 3, oom=True)
    for _ in range(20):
        world.look()
    assert Container.objects.filter(oom_killed=True).count() == CONTAINERS


def test_a_stuck_inspect_costs_its_time_once_and_no_row(world: World, settings: Any) -> None:
    """I8, I19."""
    settings.INSPECT_SECONDS = 0.4
    world.engine.fail(Failure.HANG, INSPECTS)
    world.engine.die(next(iter(world.engine.containers)))
    first, second = world.look(), world.look()
    assert (first.updated, world.states()) == (1, {"running", "stopped"})
    assert (first.inspected, second.inspected) == (1, 0)


@pytest.mark.slow
def test_a_hundred_changes_among_ten_thousand_are_right_whatever_becomes_of_their_inspects(
    simulator: Server, local: Host
) -> None:
    engine = Engine()
    rows = populate(engine, 10_000)
    Workload.objects.bulk_create(Workload(**row) for row in rows["workloads"])
    Instance.objects.bulk_create(Instance(**row) for row in rows["instances"])
    Stack.objects.bulk_create(Stack(**row) for row in rows["stacks"])
    client = Client(host="local", url=simulator.serve(engine), timeout_seconds=10)
    assert reconcile(local, client, trigger=Trigger.TICK).created == 10_000
    Container.objects.update(details_of=F("container_id"), details_state=DetailsState.TOLD)
    engine.fail(Failure.RANDOM_ERROR, INSPECTS, rate=0.3)
    died = [each.id for each in engine.containers.values() if each.state == "running"][::89][:100]
    for container_id in died:
        engine.die(container_id, 3, oom=True)
    report = reconcile(local, client, trigger=Trigger.TICK)
    assert (report.updated, report.missing, report.unchanged) == (100, 0, 9_900)
    changed = Container.objects.filter(container_id__in=died)
    assert set(changed.values_list("state", "exit_code")) == {("stopped", 3)}
    assert 0 < changed.filter(oom_killed=True).count() < 100
