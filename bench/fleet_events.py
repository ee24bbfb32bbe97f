"""From an event to its row while rounds over 1,000 hosts go on, beside the same in a fleet that is quiet."""

import contextlib
import os
import random
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import fleet_world as world
from bench.fleet_workers import Costs, forget_messages, make_round, start_workers, wait_until_idle
from bench.fleet_world import Daemons, wait_for
from bench.world import database, django_in, end_in_order, short_directory
from dev.index import Processes
from dev.ports import free_port
from dev.valkey import Valkey

HOSTS, CONTAINERS = 1_000, 100
WATCHED = 20
EVENTS = 150
ALLOWED_RATIO = 2.0
"""How many times as long as in a quiet fleet the 99th percentile may be during rounds."""
PAUSE_SECONDS = 0.15
LIMIT_SECONDS = 60.0
FILL_SECONDS = 180.0


def measure(directory: Path, valkey: Valkey, daemons: Daemons) -> bool:
    """Print both distributions; return whether events are as quick as promised."""
    import psutil

    forget_messages()
    world.empty_database()
    processes = Processes(directory, {"REDIS_URL": valkey.url, "DOCKER_HOST": daemons.urls[0], "LOG_LEVEL": "INFO"})
    try:
        costs = Costs(start_workers(processes), psutil.Process(daemons.process.pid))
        wait_until_idle()
        world.make_rows(daemons)
        make_round("boot", world.answering(HOSTS, ()), FILL_SECONDS, costs)
        world.analyse()
        _watch(processes)
        quiet = _latencies_ms(daemons)
        with _rounds() as made:
            busy = _latencies_ms(daemons)
    finally:
        processes.stop_all()
    _print("quiet", quiet)
    _print(f"during {len(made)} rounds", busy)
    ratio = _p99(busy) / _p99(quiet)
    print(f"99th percentile, during rounds ÷ quiet: {ratio:.2f} (allowed: {ALLOWED_RATIO:g})")
    return ratio <= ALLOWED_RATIO and len(made) > 1


def _watch(processes: Processes) -> None:
    from reconciler.models import Host

    names = [world.host_name(number) for number in range(WATCHED)]
    processes.start("watcher", "manage", "watch", *(part for name in names for part in ("--host", name)))
    watched = Host.objects.filter(name__in=names, watching_since__isnull=False)
    if not wait_for(lambda: watched.count() == WATCHED, LIMIT_SECONDS):
        raise RuntimeError("the watcher does not follow every host that it should")
    # whoever begins to follow a host asks for a pass of it
    time.sleep(1)
    wait_until_idle()


@contextlib.contextmanager
def _rounds() -> Iterator[Sequence[float]]:
    """Begin a round over all hosts whenever the one before is over, while the body works; yield when each began."""
    stop = threading.Event()
    began_at: list[float] = []
    rounds = threading.Thread(target=_make_rounds, args=(stop, began_at))
    rounds.start()
    try:
        yield began_at
    finally:
        stop.set()
        rounds.join()


def _make_rounds(stop: threading.Event, began_at: list[float]) -> None:
    from django.conf import settings

    from reconciler.lock import connect
    from tinyforge.celery import app

    client = connect(settings.REDIS_URL)
    while not stop.wait(0.05):
        if not client.llen("reconcile"):
            app.send_task("reconcile", kwargs={"trigger": "tick"})
            began_at.append(time.monotonic())
            # until it has sent its first messages
            wait_for(lambda: bool(client.llen("reconcile")), 1)


def _latencies_ms(daemons: Daemons) -> list[float]:
    """Let containers start and die one after the other; return how long it took each time until the row said so."""
    from reconciler.models import Container

    dice, found = random.Random(1), []
    for _ in range(EVENTS):
        began = time.perf_counter()
        container_id, state = daemons.happen(dice.randrange(WATCHED), dice.randrange(CONTAINERS))
        row = Container.objects.filter(container_id=container_id, state=state)
        if not wait_for(row.exists, LIMIT_SECONDS):
            raise RuntimeError(f"the row of {container_id[:12]} does not say {state}")
        found.append((time.perf_counter() - began) * 1000)
        time.sleep(dice.uniform(0.5, 1.5) * PAUSE_SECONDS)
    return found


def _p99(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[98]


def _print(what: str, values: Sequence[float]) -> None:
    middle, most = statistics.median(values), max(values)
    print(f"{what:24} p50 {middle:>7.1f}  p99 {_p99(values):>7.1f}  max {most:>7.1f} ms  ({len(values)} events)")


def main() -> int:
    """Measure on the database that BENCH_DATABASE names."""
    end_in_order()
    port = free_port()
    os.environ["REDIS_URL"] = f"redis://127.0.0.1:{port}/0"
    with (
        short_directory() as directory,
        database(directory) as url,
        django_in(url),
        Valkey(directory / "v", port=port) as valkey,
        Daemons(HOSTS, CONTAINERS) as daemons,
    ):
        return 0 if measure(directory, valkey, daemons) else 1


if __name__ == "__main__":
    sys.exit(main())
