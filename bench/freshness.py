"""From a daemon's event to the committed row: real Engine, Valkey, worker and watcher; beside ticks alone."""

import contextlib
import os
import random
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import docker

from bench.world import database, django_in, end_in_order, short_directory
from dev.engine import DockerEngine
from dev.index import Processes
from dev.ports import free_port
from dev.valkey import Valkey

CONTAINERS = 100
EVENTS = 240
DEATHS = 60
PAUSE_SECONDS = 0.15
TICK_EVENTS = 20
TICK_SECONDS = 2
WAIT_SECONDS = 60.0
ALLOWED_P50_MS, ALLOWED_P99_MS = 80.0, 200.0
"""From the moment that a container ended, by its Engine's FinishedAt, to the committed row, on a quiet machine."""


class EventTimes:
    """The daemon's own time of the last event of each container."""

    def __init__(self, client: docker.DockerClient) -> None:
        self._events = client.events(decode=True, filters={"type": "container"})
        self._at: dict[tuple[str, str], float] = {}
        threading.Thread(target=self._listen, daemon=True).start()

    def at(self, container_id: str, action: str) -> float:
        """Return when the daemon says that this happened to the container, in seconds since 1970."""
        wait_for(lambda: (container_id, action) in self._at, f"the daemon says {action}")
        return self._at.pop((container_id, action))

    def close(self) -> None:
        """Stop listening."""
        self._events.close()

    def _listen(self) -> None:
        for event in self._events:
            self._at[event["Actor"]["ID"], event["Action"]] = event["timeNano"] / 1e9


def measure(directory: Path) -> bool:
    """Print the distribution of latencies; return whether it is as promised."""
    with DockerEngine(directory / "d") as engine, Valkey(directory / "v", port=_port()) as valkey:
        engine.import_busybox()
        client = engine.client()
        made = [_create(client, number) for number in range(CONTAINERS)]
        processes = Processes(directory, {"REDIS_URL": valkey.url, "DOCKER_HOST": engine.url, "LOG_LEVEL": "WARNING"})
        try:
            processes.worker()
            with _watcher(processes):
                by_events = _latencies(client, made, EVENTS)
                deaths = _death_latencies(client, made, DEATHS)
            processes.beat(str(TICK_SECONDS))
            by_ticks = _latencies(client, made, TICK_EVENTS)
        finally:
            processes.stop_all()
            client.close()
    name = os.environ["DATABASE_URL"].partition(":")[0]
    _print(f"events, {name}", by_events)
    _print(f"deaths, {name}", deaths)
    _print(f"ticks of {TICK_SECONDS} s, {name}", by_ticks)
    print(f"{'':28} ticks ÷ events at the median: {statistics.median(by_ticks) / statistics.median(by_events):.0f}×")
    print(f"{'':28} allowed for deaths: p50 {ALLOWED_P50_MS:g} ms, p99 {ALLOWED_P99_MS:g} ms")
    p50, p99 = _percentiles(deaths)
    return p50 <= ALLOWED_P50_MS and p99 <= ALLOWED_P99_MS


@contextlib.contextmanager
def _watcher(processes: Processes) -> Iterator[None]:
    from reconciler.models import Container, Host

    processes.watcher()
    wait_for(lambda: Host.objects.filter(watching_since__isnull=False).exists(), "the host is watched")
    wait_for(lambda: Container.objects.count() == CONTAINERS, "the first fill")
    time.sleep(1)
    yield
    processes.stop("watcher")


def _latencies(client: docker.DockerClient, made: list[str], count: int) -> list[float]:
    """Return milliseconds from event to a row that another connection can read."""
    from reconciler.models import Container

    times = EventTimes(client)
    rng = random.Random(1)
    found = []
    for _ in range(count):
        container_id = rng.choice(made)
        row = Container.objects.filter(container_id=container_id)
        state = row.values_list("state", flat=True).get()
        act, action, expected = {
            "created": (client.api.start, "start", "running"),
            "stopped": (client.api.start, "start", "running"),
            "running": rng.choice([(client.api.pause, "pause", "paused"), (client.api.kill, "die", "stopped")]),
            "paused": (client.api.unpause, "unpause", "running"),
        }[state]
        act(container_id)
        happened = times.at(container_id, action)
        wait_for(row.filter(state=expected).exists, f"{container_id[:12]} is {expected}")
        found.append((time.time() - happened) * 1000)
        time.sleep(rng.uniform(0.5, 1.5) * PAUSE_SECONDS)
    times.close()
    return found


def _death_latencies(client: docker.DockerClient, made: list[str], count: int) -> list[float]:
    """Return milliseconds from the end of a container, as its Engine tells it afterwards, to the row that says so."""
    from reconciler.models import Container

    rng = random.Random(2)
    found = []
    for _ in range(count):
        container_id = rng.choice(made)
        row = Container.objects.filter(container_id=container_id)
        if row.values_list("state", flat=True).get() == "paused":
            client.api.unpause(container_id)
        client.api.start(container_id)
        wait_for(row.filter(state="running").exists, f"{container_id[:12]} is running")
        time.sleep(rng.uniform(4, 8) * PAUSE_SECONDS)
        client.api.kill(container_id)
        wait_for(row.filter(state="stopped").exists, f"{container_id[:12]} is stopped")
        seen_at = time.time()
        ended = client.api.inspect_container(container_id)["State"]["FinishedAt"]
        found.append((seen_at - datetime.fromisoformat(ended[:26] + "+00:00").timestamp()) * 1000)
        time.sleep(rng.uniform(4, 8) * PAUSE_SECONDS)
    return found


def wait_for(condition: object, what: str) -> None:
    """Wait until a condition holds. Raises RuntimeError if it does not within a minute."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {WAIT_SECONDS:g} s: {what}")
        time.sleep(0.002)


def _create(client: docker.DockerClient, number: int) -> str:
    labels = {"tinyforge.workload.id": "bench", "tinyforge.role": f"r{number}"}
    command = ["sleep", "3600"]
    made = client.containers.create("tinyforge-busybox", command, labels=labels, network_mode="none")
    return str(made.id)


def _percentiles(values: list[float]) -> tuple[float, float]:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return cuts[49], cuts[98]


def _print(what: str, values: list[float]) -> None:
    p50, p99 = _percentiles(values)
    spread = f"min {min(values):>7.1f}  p50 {p50:>7.1f}  p99 {p99:>7.1f}  max {max(values):>7.1f} ms"
    print(f"{what:28} {spread}  ({len(values)} events, {CONTAINERS} containers)")


def _port() -> int:
    return int(os.environ["REDIS_URL"].rpartition(":")[2].partition("/")[0])


def main() -> int:
    """Measure on the database that BENCH_DATABASE names."""
    end_in_order()
    with short_directory() as directory, database(directory) as url:
        os.environ["REDIS_URL"] = f"redis://127.0.0.1:{free_port()}/0"
        with django_in(url):
            return 0 if measure(directory) else 1


if __name__ == "__main__":
    sys.exit(main())
