"""Worker and watcher as real processes: what happens on an Engine is in the table before anyone asks."""

import time

from dev.engine_kinds import PrivateEngine
from dev.index import Processes
from reconciler.models import Container, Host
from reconciler.watch.schedule import SETTLED_SECONDS
from tests.acceptance.conftest import Containers
from tests.builders import certain, workload
from tests.waiting import eventually

WEB = workload("shop", role="web")
QUIET_SECONDS = SETTLED_SECONDS + 0.3
"""After this long without an event, no look of the watcher is due any more."""


def state() -> str | None:
    return Container.objects.filter(id="shop:web").values_list("state", flat=True).first()


def health() -> str | None:
    return Container.objects.filter(id="shop:web").values_list("health", flat=True).first()


def is_watched() -> bool:
    return Host.objects.get(name="local").watching_since is not None


def test_the_life_of_a_container_is_in_the_table_without_a_tick(
    processes: Processes, real_engine: PrivateEngine, containers: Containers
) -> None:
    processes.worker(DOCKER_HOST=real_engine.url)
    processes.watcher(DOCKER_HOST=real_engine.url)
    eventually(is_watched, what="the host is watched")
    made = containers.create(WEB)
    eventually(lambda: state() == "created")
    made.start()
    eventually(lambda: state() == "running")
    made.pause()
    eventually(lambda: state() == "paused")
    made.unpause()
    eventually(lambda: state() == "running")
    made.kill()
    assert made.wait()["StatusCode"] == 137
    eventually(lambda: state() == "stopped")
    made.remove()
    eventually(lambda: state() == "missing")


def test_every_death_on_a_quiet_host_is_in_the_table_without_a_tick(
    processes: Processes, real_engine: PrivateEngine, containers: Containers
) -> None:
    """Docker 20.10 announces a death before its listing shows it, so a single look at once would miss it."""
    made = containers.run(WEB)
    processes.worker(DOCKER_HOST=real_engine.url)
    processes.watcher(DOCKER_HOST=real_engine.url)
    eventually(is_watched, what="the host is watched")
    for _ in range(4):
        eventually(lambda: state() == "running")
        time.sleep(QUIET_SECONDS)
        made.kill()
        eventually(lambda: state() == "stopped")
        time.sleep(QUIET_SECONDS)
        made.start()


def test_a_health_change_is_in_the_table_without_a_tick(
    processes: Processes, real_engine: PrivateEngine, containers: Containers
) -> None:
    processes.worker(DOCKER_HOST=real_engine.url)
    processes.watcher(DOCKER_HOST=real_engine.url)
    eventually(is_watched, what="the host is watched")
    check = {"test": ["CMD-SHELL", "test ! -e /tmp/sick"], "interval": 500_000_000, "retries": 1}
    made = containers.run(WEB, command=["sh", "-c", "mkdir -p /tmp; sleep 3600"], healthcheck=check)
    eventually(lambda: state() == "running")
    real_engine.check_health(certain(made.id))
    eventually(lambda: health() == "healthy", what="healthy")
    assert made.exec_run(["sh", "-c", "echo > /tmp/sick"]).exit_code == 0
    real_engine.check_health(certain(made.id))
    eventually(lambda: health() == "unhealthy", what="unhealthy")
