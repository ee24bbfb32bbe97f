"""Worker and watcher as real processes: what happens on an Engine is in the table before anyone asks."""

import re
import threading
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from dev.engine import DockerEngine
from dev.index import Processes
from dev.valkey import Valkey
from reconciler.models import Container, Host
from simulator import Engine as SimulatedEngine
from simulator import Failure, Server
from tests.acceptance.conftest import Containers
from tests.builders import workload
from tests.waiting import eventually

WEB = workload("shop", role="web")


def state() -> str | None:
    return Container.objects.filter(id="shop:web").values_list("state", flat=True).first()


def host() -> Host:
    return Host.objects.get(name="local")


def is_watched() -> bool:
    return host().watching_since is not None


@pytest.fixture
def engine(simulator: Server) -> SimulatedEngine:
    return SimulatedEngine()


@pytest.fixture
def watched(processes: Processes, engine: SimulatedEngine, simulator: Server) -> Processes:
    """Worker and watcher on a simulated Engine."""
    url = simulator.serve(engine)
    processes.worker(DOCKER_HOST=url)
    processes.watcher(DOCKER_HOST=url)
    eventually(is_watched, what="the host is watched")
    eventually(lambda: host().last_success_at, what="a first pass")
    return processes


def test_events_that_were_skipped_are_found_by_a_tick_and_counted(watched: Processes, engine: SimulatedEngine) -> None:
    """I13."""
    container_id = engine.add("web", labels=WEB)
    eventually(lambda: state() == "running")
    engine.fail(Failure.SKIP)
    watched.beat()
    # the first of these may still be found by a look that its start led to
    for _ in range(2):
        engine.die(container_id)
        eventually(lambda: state() == "stopped", what="a tick finds its end")
        engine.start(container_id)
        eventually(lambda: state() == "running", what="a tick finds its start")
    eventually(lambda: host().drift_found, what="it is counted")


def test_changes_that_events_announced_are_no_drift(watched: Processes, engine: SimulatedEngine) -> None:
    container_id = engine.add("web", labels=WEB)
    watched.beat()
    for _ in range(20):
        engine.pause(container_id)
        eventually(lambda: state() == "paused")
        engine.unpause(container_id)
        eventually(lambda: state() == "running")
    assert host().drift_found == 0


@pytest.mark.real
def test_a_storm_leaves_the_table_equal_to_the_daemon_and_no_pass_overlaps(
    processes: Processes, docker_engine: DockerEngine, containers: Containers
) -> None:
    """I13."""
    processes.worker(DOCKER_HOST=docker_engine.url, LOG_LEVEL="DEBUG")
    processes.watcher(DOCKER_HOST=docker_engine.url)
    processes.beat()
    eventually(is_watched, what="the host is watched")

    def storm(number: int) -> None:
        for each in range(25):
            made = containers.create(workload("storm", role=f"r{number}-{each}"))
            if each % 5 == 0:
                made.start()
            if each % 2 == 0:
                made.remove(force=True)

    threads = [threading.Thread(target=storm, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client = docker_engine.client()
    listed = {c["Id"] for c in client.api.containers(all=True)}
    client.close()
    eventually(lambda: set(Container.objects.present().values_list("container_id", flat=True)) == listed)
    passes = _passes(processes.log("worker"))
    assert len(passes) > 5
    assert not [pair for pair in pairwise(passes) if pair[0][1] > pair[1][0]]


def _passes(log: str) -> list[tuple[datetime, datetime]]:
    """Return the beginning and the end of each pass in the worker's log, in order."""
    spans = re.findall(r"host local: applied, .* ([\d.]+) s from (\S+)\)$", log, re.MULTILINE)
    begun = [(datetime.fromisoformat(begin), timedelta(seconds=float(seconds))) for seconds, begin in spans]
    return sorted((begin, begin + lasted) for begin, lasted in begun)


def test_everything_recovers_when_valkey_is_killed_and_comes_back(
    watched: Processes, engine: SimulatedEngine, valkey_server: Valkey
) -> None:
    """I7."""
    container_id = engine.add("web", labels=WEB)
    watched.beat()
    eventually(lambda: state() == "running")
    valkey_server.kill()
    engine.die(container_id)
    valkey_server.start()
    eventually(lambda: state() == "stopped", what="the table is right")
    engine.start(container_id)
    eventually(lambda: state() == "running", what="events work again")
    assert watched.alive() == {"worker", "watcher", "beat"}


def test_the_watcher_ends_cleanly_on_sigterm(watched: Processes) -> None:
    assert watched.stop("watcher") == 0
    assert not is_watched()


def test_without_a_watcher_everything_works_at_tick_speed(watched: Processes, engine: SimulatedEngine) -> None:
    """I13."""
    watched.beat()
    watched.stop("watcher")
    engine.add("web", labels=WEB)
    eventually(lambda: state() == "running")
    assert host().drift_found == 0
