"""Real Celery workers for a fleet, rounds of passes through them, and what these cost."""

import contextlib
import os
import shlex
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.fleet_world import wait_for
from dev.index import Processes

OF_ROUNDS = 2
"""How many workers of rounds are measured: threads of one process use little more than one core."""
PROCFILE = Path(__file__).parent.parent / "Procfile"
READY_SECONDS = 30.0
IDLE_SECONDS = 120.0
CPU_OF = ("workers", "postgres", "daemons")


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round: seconds from the tick until the last host that answers; `missed` hosts were not reached in time."""

    seconds: float
    reached: int
    missed: int
    cpu_ms: dict[str, float]


def options_by_worker() -> dict[str, list[str]]:
    """Return the options of each worker by its name: as in production, or others that BENCH_WORKERS gives.

    For instance `--concurrency 4; --pool threads --concurrency 8` for two of them.
    """
    if given := os.environ.get("BENCH_WORKERS"):
        return {f"worker-{number}": shlex.split(options) for number, options in enumerate(given.split(";"), 1)}
    lines = (line.partition(":") for line in PROCFILE.read_text().splitlines())
    commands = {name: shlex.split(command) for name, _, command in lines}
    options = {
        name: words[words.index("worker") + 1 :]
        for name, words in commands.items()
        if "celery" in words and "worker" in words
    }
    return options | {f"worker-{number}": options["worker"] for number in range(2, OF_ROUNDS + 1)}


def start_workers(processes: Processes) -> list[psutil.Process]:
    """Start the workers as production does and wait until they take tasks."""
    workers = {name: processes.worker(*options, name=name) for name, options in options_by_worker().items()}
    if not wait_for(lambda: all("ready." in processes.log(name) for name in workers), READY_SECONDS):
        raise RuntimeError(f"not every worker is ready: {', '.join(workers)}")
    return [psutil.Process(worker.pid) for worker in workers.values()]


def forget_messages() -> None:
    """Empty the broker."""
    from django.conf import settings

    from reconciler.lock import connect

    connect(settings.REDIS_URL).flushdb()


def wait_until_idle() -> None:
    """Wait until no message is left and no pass is under way, so that no round pays for the one before it."""
    from django.conf import settings

    from reconciler.lock import connect

    client = connect(settings.REDIS_URL)

    def idle() -> bool:
        waiting = any(client.llen(queue) for queue in ("reconcile", "urgent"))
        return not (waiting or client.hlen("unacked") or any(client.scan_iter("tinyforge:*:lock")))

    if not wait_for(idle, IDLE_SECONDS):
        raise RuntimeError(f"the workers are still busy after {IDLE_SECONDS:g} s")


class Beat:
    """Sends the first message at once and a tick whenever an interval has passed, as beat does."""

    def __init__(self, trigger: str) -> None:
        from django.conf import settings

        self._interval = settings.RECONCILE_INTERVAL
        self._due = time.monotonic() + self._interval
        # the message of a worker's boot does not expire, beat's does
        _send(trigger, self._interval if trigger == "tick" else None)

    def look(self) -> None:
        """Send a tick if one is due."""
        if time.monotonic() >= self._due:
            self._due += self._interval
            _send("tick", self._interval)


def _send(trigger: str, expires: float | None) -> None:
    from tinyforge.celery import app

    app.send_task("reconcile", kwargs={"trigger": trigger}, expires=expires)


def make_round(trigger: str, hosts: Collection[str], limit_seconds: float, costs: "Costs") -> Round:
    """Ask for a pass of every host; wait until these hosts have been looked at, or the limit."""
    from django.utils import timezone

    from reconciler.models import Host

    before, started_at, started = costs.cpu_ms(), timezone.now(), time.perf_counter()
    beat = Beat(trigger)
    looked_at = Host.objects.filter(name__among=list(hosts), last_success_at__gt=started_at)

    def is_done() -> bool:
        beat.look()
        return looked_at.count() == len(hosts)

    wait_for(is_done, limit_seconds)
    seconds, after = time.perf_counter() - started, costs.cpu_ms()
    reached = looked_at.count()
    spent = {name: after[name] - before[name] for name in CPU_OF}
    return Round(seconds=seconds, reached=reached, missed=len(hosts) - reached, cpu_ms=spent)


class Costs:
    """How much time and memory the processes of a measurement use."""

    def __init__(self, workers: Sequence[psutil.Process], daemons: psutil.Process) -> None:
        self._parents = workers
        self._daemons = daemons

    def cpu_ms(self) -> dict[str, float]:
        """Return the milliseconds of CPU time used so far by the workers, the database and the daemons."""
        servers = [each for each in psutil.Process().children(recursive=True) if _name(each) == "postgres"]
        processes = {"workers": self._workers(), "postgres": servers, "daemons": [self._daemons]}
        return {name: sum(_cpu_ms(each) for each in members) for name, members in processes.items()}

    def worker_mib(self) -> float:
        """Return the memory of the workers; a page that several processes share is counted once."""
        return sum(each.memory_full_info().pss for each in self._workers()) / 2**20

    def _workers(self) -> list[psutil.Process]:
        return [each for parent in self._parents for each in (parent, *parent.children(recursive=True))]


def _name(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.name()
    return ""


def _cpu_ms(process: psutil.Process) -> float:
    """Return what a process and its ended children have used: a database has one child for each client."""
    with contextlib.suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return (times.user + times.system + times.children_user + times.children_system) * 1000
    return 0.0
