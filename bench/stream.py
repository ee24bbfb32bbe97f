"""From a death on a real Engine to the line of the stream that tells it, beside ticks alone."""

import contextlib
import http.client
import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import docker

from bench.freshness import EventTimes, wait_for
from bench.web import Site
from bench.world import database, django_in, end_in_order, short_directory
from dev.engine import DockerEngine
from dev.index import Processes
from dev.ports import free_port
from dev.valkey import Valkey

DEATHS = 20
TICK_SECONDS = 2
PAUSE_SECONDS = 0.7
ALLOWED_P50_MS = 250.0
"""From the moment that an Engine gives to a death, to the line in the hands of a client, on a quiet machine."""


class Follower:
    """A client that follows the stream, and notes when it is told what."""

    def __init__(self, site: Site) -> None:
        self._told: dict[tuple[str, str], float] = {}
        self._connection, self._answer = site.get("/api/v1/changes", Accept="text/event-stream")
        threading.Thread(target=self._read, daemon=True).start()

    def at(self, container_id: str, state: str) -> float:
        """Return when it was told that a container came into a state, in seconds since 1970."""
        wait_for(lambda: (container_id, state) in self._told, f"the stream says {state}")
        return self._told.pop((container_id, state))

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError, AttributeError, http.client.HTTPException):
            for line in self._answer:
                if line.startswith(b"data: "):
                    at, change = time.time(), json.loads(line[6:])
                    self._told[change.get("container_id", ""), change.get("to_state", "")] = at


def measure(directory: Path) -> bool:
    """Print how long deaths take to the stream; return whether it is as promised."""
    port = int(os.environ["REDIS_URL"].rpartition(":")[2].partition("/")[0])
    with DockerEngine(directory / "d") as engine, Valkey(directory / "v", port=port) as valkey:
        engine.import_busybox()
        environment = {"REDIS_URL": valkey.url, "DOCKER_HOST": engine.url, "LOG_LEVEL": "WARNING"}
        processes = Processes(directory, environment)
        site = Site(directory, free_port())
        client = engine.client()
        labels = {"tinyforge.workload.id": "bench", "tinyforge.role": "web"}
        made = client.containers.create("tinyforge-busybox", ["sleep", "3600"], labels=labels, network_mode="none")
        try:
            with site.running():
                processes.worker()
                with watched(processes):
                    by_events = _deaths(client, str(made.id), site)
                processes.beat(str(TICK_SECONDS))
                ticks = _deaths(client, str(made.id), site)
        finally:
            processes.stop_all()
            client.close()
    name = os.environ["DATABASE_URL"].partition(":")[0]
    _print(f"watched, {name}", by_events)
    _print(f"ticks of {TICK_SECONDS} s alone, {name}", ticks)
    print(f"{'':28} allowed for deaths on a host that is watched: p50 {ALLOWED_P50_MS:g} ms")
    return statistics.median(by_events) <= ALLOWED_P50_MS


@contextlib.contextmanager
def watched(processes: Processes) -> Iterator[None]:
    """Watch the host for as long as the body lasts."""
    from reconciler.models import Host

    processes.watcher()
    wait_for(Host.objects.filter(watching_since__isnull=False).exists, "the host is watched")
    time.sleep(1)
    yield
    processes.stop("watcher")


def _deaths(client: docker.DockerClient, container_id: str, site: Site) -> list[float]:
    """Return milliseconds from the Engine's event of each death to the line of the stream."""
    times, follower = EventTimes(client), Follower(site)
    found = []
    for _ in range(DEATHS):
        client.api.start(container_id)
        follower.at(container_id, "running")
        time.sleep(PAUSE_SECONDS)
        client.api.kill(container_id)
        told = follower.at(container_id, "stopped")
        found.append((told - times.at(container_id, "die")) * 1000)
        time.sleep(PAUSE_SECONDS)
    follower.close()
    times.close()
    return found


def _print(what: str, values: list[float]) -> None:
    spread = f"min {min(values):>7.1f}  p50 {statistics.median(values):>7.1f}  max {max(values):>7.1f} ms"
    print(f"{what:28} {spread}  ({len(values)} deaths)")


def main() -> int:
    """Measure on the database that BENCH_DATABASE names."""
    end_in_order()
    with short_directory() as directory, database(directory) as url:
        os.environ["REDIS_URL"] = f"redis://127.0.0.1:{free_port()}/0"
        with django_in(url):
            return 0 if measure(directory) else 1


if __name__ == "__main__":
    sys.exit(main())
