"""An Engine that goes away, comes back, or loses much at once: nothing is taken for gone that is not (I1, I14)."""

import contextlib
from collections.abc import Iterator

import pytest
from pytest_django.fixtures import Settings

from dev.engine_kinds import EngineKind, PrivateEngine
from dev.index import Processes
from reconciler.core.report import Report, Trigger
from reconciler.engine import Engine
from reconciler.models import Container, Host
from reconciler.reconcile import reconcile
from tests.acceptance.conftest import Containers, running
from tests.builders import workload
from tests.environment import DIRECTORY
from tests.waiting import eventually

MANY = 6


@pytest.fixture
def own_engine(kind: EngineKind) -> Iterator[PrivateEngine]:
    """An Engine that a test may stop and start."""
    with running(kind.make(DIRECTORY / f"own-{kind.name}")) as engine:
        yield engine


def look(host: Host, engine: PrivateEngine) -> Report:
    return reconcile(host, Engine(host="local", url=engine.url, timeout_seconds=10), trigger=Trigger.MANUAL)


def states() -> list[str]:
    return list(Container.objects.order_by("id").values_list("state", flat=True))


def is_watched() -> bool:
    return Host.objects.get(name="local").watching_since is not None


def test_an_engine_stopped_and_started_makes_nothing_missing_and_is_caught_up_with(
    processes: Processes, own_engine: PrivateEngine, kind: EngineKind
) -> None:
    """Its socket is replaced; there are no ticks, so what is caught up with is so by watching again."""
    with contextlib.closing(Containers(own_engine)) as containers:
        containers.run(workload("shop", role="web"))
        containers.run(workload("shop", role="db"))
    processes.worker(DOCKER_HOST=own_engine.url)
    processes.watcher(DOCKER_HOST=own_engine.url)
    eventually(lambda: states() == ["running"] * 2, what="both run")
    eventually(is_watched, what="the host is watched")
    own_engine.stop()
    eventually(lambda: not is_watched(), what="the host is not watched")
    assert not Container.objects.missing().exists()
    own_engine.start()
    eventually(is_watched, what="the host is watched again")
    eventually(lambda: states() == [kind.after_end] * 2, what="both have ended")


@pytest.mark.django_db
def test_an_engine_that_comes_back_is_the_same_one(local: Host, own_engine: PrivateEngine, kind: EngineKind) -> None:
    with contextlib.closing(Containers(own_engine)) as containers:
        containers.run(workload("shop", role="web"))
    assert look(local, own_engine).outcome == "applied"
    before = Host.objects.get(name="local").engine_id
    assert bool(before) == kind.has_identity
    own_engine.stop()
    report = look(local, own_engine)
    assert (report.outcome, states()) == ("failed", ["running"])
    own_engine.start()
    assert look(local, own_engine).held == 0
    assert Host.objects.get(name="local").engine_id == before


@pytest.mark.django_db
def test_many_containers_that_go_at_once_are_missing_when_a_second_listing_agrees(
    local: Host, real_engine: PrivateEngine, containers: Containers, settings: Settings
) -> None:
    settings.HOLD_SECONDS = 0.5
    made = [containers.create(workload("shop", role=f"r{number}")) for number in range(MANY)]
    assert look(local, real_engine).outcome == "applied"
    for each in made:
        each.remove(force=True)
    assert (look(local, real_engine).held, states()) == (MANY, ["created"] * MANY)

    def are_missing() -> bool:
        assert look(local, real_engine).outcome == "applied"
        return states() == ["missing"] * MANY

    eventually(are_missing, what="a second listing has agreed")
