"""Rounds over 10,000 hosts with passes of no cost: what is left is what a fleet costs beside its passes."""

import os
import statistics
import sys
import time
from pathlib import Path

import psutil

from bench.fleet_workers import wait_until_idle
from bench.fleet_world import analyse, empty_database, host_name, wait_for
from bench.world import database, django_in, end_in_order, short_directory
from dev.index import Processes
from dev.ports import free_port
from dev.valkey import Valkey

HOSTS = 10_000
ROUNDS = 3
INTERVAL_SECONDS = 30.0
READY_SECONDS = 30.0
WORKERS = 2


def measure(directory: Path, valkey: Valkey) -> bool:
    """Print what a round costs; return whether it is over before the next tick."""
    from reconciler.models import Host

    empty_database()
    Host.objects.bulk_create(Host(name=host_name(number)) for number in range(HOSTS))
    processes = Processes(directory, {"REDIS_URL": valkey.url, "LOG_LEVEL": "WARNING", "RECONCILE_INTERVAL": "300"})
    names = [f"worker-{number}" for number in range(WORKERS)]
    options = ("--pool=threads", "--queues=reconcile", "--without-gossip", "--without-mingle", "--loglevel=INFO")
    try:
        for name in names:
            command = ("celery", "-A", "bench.no_cost", "worker", f"--hostname={name}@%h", *options)
            processes.start(name, *command, LOG_LEVEL="INFO")
        if not wait_for(lambda: all("ready." in processes.log(name) for name in names), READY_SECONDS):
            raise RuntimeError("the workers are not ready")
        # the boot passes
        wait_until_idle()
        analyse()
        rounds = [_round(valkey) for _ in range(ROUNDS)]
    finally:
        processes.stop_all()
    sent, lasted, longest, memory = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"{HOSTS:,} hosts, {WORKERS} workers, passes of no cost; medians of {ROUNDS} rounds")
    print(f"  the messages are sent after {sent:.1f} s, and the last one is done after {lasted:.1f} s")
    print(f"  so beside its pass a host costs {lasted / HOSTS * 1000:.2f} ms of a round")
    print(f"  at most {longest:,.0f} messages wait; Valkey takes {memory:.0f} MiB")
    return float(lasted) < INTERVAL_SECONDS


def _round(valkey: Valkey) -> tuple[float, float, int, float]:
    """Return the seconds until all was sent and done, the most messages that waited, and Valkey's memory in MiB."""
    from django.conf import settings
    from django.utils import timezone

    from reconciler.lock import connect
    from reconciler.models import Host
    from tinyforge.celery import app

    client = connect(settings.REDIS_URL)
    began_at, began = timezone.now(), time.perf_counter()
    app.send_task("reconcile", kwargs={"trigger": "tick"})
    looked_at = Host.objects.filter(last_success_at__gt=began_at)
    waiting = [0]
    sent = 0.0

    def is_done() -> bool:
        nonlocal sent
        waiting.append(client.llen("reconcile"))
        if waiting[-1] >= waiting[-2]:
            sent = time.perf_counter() - began
        return waiting[-1] == 0 and looked_at.count() == HOSTS

    if not wait_for(is_done, 10 * INTERVAL_SECONDS):
        raise RuntimeError(f"only {looked_at.count():,} of {HOSTS:,} hosts were looked at")
    lasted = time.perf_counter() - began
    memory = max(each.memory_info().rss for each in psutil.process_iter() if each.name() == "valkey-server")
    wait_until_idle()
    return sent, lasted, max(waiting), memory / 2**20


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
    ):
        return 0 if measure(directory, valkey) else 1


if __name__ == "__main__":
    sys.exit(main())
