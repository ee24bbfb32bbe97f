"""Celery worker and beat as real processes: boot pass, ticks, no overlap, a stop that lets a pass finish."""

import json
from datetime import datetime
from typing import Any

import redis
from django.db import connection
from django.utils import timezone

from dev.engine import DockerEngine
from dev.index import Processes
from reconciler.conf import lock_of
from reconciler.models import Container, Host
from simulator import Engine as SimulatedEngine
from simulator import Failure, Server
from tests.acceptance.conftest import Containers
from tests.builders import certain, workload
from tests.waiting import eventually
from tinyforge.last_resort import HUNG_STATUS

WEB = workload("shop", role="web")


def state() -> str | None:
    return Container.objects.filter(id="shop:web").values_list("state", flat=True).first()


def test_a_worker_makes_the_boot_pass_without_beat(
    processes: Processes, docker_engine: DockerEngine, containers: Containers
) -> None:
    containers.run(WEB)
    processes.worker(DOCKER_HOST=docker_engine.url)
    eventually(lambda: state() == "running", what="the boot pass fills the table")


def test_ticks_follow_the_engine(processes: Processes, docker_engine: DockerEngine, containers: Containers) -> None:
    made = containers.run(WEB)
    processes.worker(DOCKER_HOST=docker_engine.url)
    processes.beat(interval="1")
    eventually(lambda: state() == "running", what="running")
    made.kill()
    eventually(lambda: state() == "stopped", what="stopped")
    made.remove()
    eventually(lambda: state() == "missing", what="missing")


def test_a_tick_during_a_held_lock_does_not_overlap(
    processes: Processes, local: Host, valkey: redis.Redis, simulator: Server
) -> None:
    engine = SimulatedEngine()
    processes.worker(DOCKER_HOST=simulator.serve(engine))
    eventually(lambda: Host.objects.get().last_success_at, what="the boot pass")
    lock = lock_of("local")
    eventually(lock.acquire, what="the lock is free")
    processes.beat(interval="1")
    engine.reset_requests()
    eventually(lambda: processes.log("beat").count("Sending due task") >= 3, what="three ticks")
    assert engine.requests == []
    lock.release()
    eventually(lambda: engine.requests, what="the next tick looks again")


def test_stopping_a_worker_lets_the_pass_under_way_finish(processes: Processes, simulator: Server) -> None:
    engine = SimulatedEngine()
    engine.add("web", labels=WEB)
    engine.fail(Failure.SLOW, seconds=3)
    processes.worker(DOCKER_HOST=simulator.serve(engine))
    eventually(lambda: ("GET", "/containers/json") in engine.requests, what="the pass has begun")
    assert processes.stop("worker") == 0
    assert state() == "running"


def test_a_backlog_of_ticks_expires_unexecuted(processes: Processes, simulator: Server, valkey: redis.Redis) -> None:
    engine = SimulatedEngine()
    processes.beat(interval="1")
    eventually(lambda: valkey.llen("reconcile") >= 4, what="a backlog")
    processes.stop("beat")
    eventually(lambda: timezone.now() > last_expiry(valkey), what="every tick has expired")
    processes.worker(DOCKER_HOST=simulator.serve(engine), RECONCILE_INTERVAL="1")
    eventually(lambda: Host.objects.get().last_success_at, what="the boot pass")
    eventually(lambda: not valkey.llen("reconcile"), what="every tick is taken")
    processes.stop("worker")
    assert engine.requests.count(("GET", "/containers/json")) == 1


def last_expiry(valkey: redis.Redis) -> datetime:
    """Return when the last of the waiting messages expires."""
    messages = [json.loads(body) for body in valkey.lrange("reconcile", 0, -1)]
    return max(datetime.fromisoformat(message["headers"]["expires"]) for message in messages)


def test_rows_stay_fresh_between_changes(processes: Processes, simulator: Server) -> None:
    engine = SimulatedEngine()
    engine.add("web", labels=WEB)
    processes.worker(DOCKER_HOST=simulator.serve(engine), RECONCILE_INTERVAL="1")
    processes.beat(interval="1")
    eventually(lambda: state() == "running", what="running")
    first = Container.objects.get().last_seen_at
    eventually(lambda: certain(Container.objects.get().last_seen_at) > certain(first), what="a later sighting")


OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


def on_postgres(statement: str) -> set[int]:
    """Return the one column that a statement gives; SQLite has no connections to look at."""
    if connection.vendor != "postgresql":
        return set()
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return {value for (value,) in cursor.fetchall()}


def last_success() -> Any:
    return Host.objects.get(name="local").last_success_at


def test_a_worker_keeps_its_database_connection_and_survives_its_loss(
    processes: Processes, simulator: Server, local: Host
) -> None:
    Host.objects.update(url=simulator.serve(SimulatedEngine()))
    processes.worker("--pool=threads", "--concurrency=1", "--loglevel=INFO", "--without-gossip", "--without-mingle")
    processes.beat("0.2")
    wait_for_passes(1)
    kept = on_postgres(f"SELECT pid {OTHERS}")
    wait_for_passes(5)
    assert on_postgres(f"SELECT pid {OTHERS}") == kept
    on_postgres(f"SELECT pg_terminate_backend(pid) {OTHERS}")
    wait_for_passes(2)
    assert "Traceback" not in processes.log("worker")


def wait_for_passes(count: int) -> None:
    """Wait until so many more passes have succeeded."""
    for _ in range(count):
        before = last_success()
        eventually(lambda: last_success() != before, what="a pass")  # noqa: B023 - called at once


def test_a_worker_whose_thread_hangs_ends_so_that_it_is_started_again(processes: Processes, simulator: Server) -> None:
    """I19: no time limit can end a thread."""
    engine = SimulatedEngine()
    engine.fail(Failure.HANG, "*")
    options = ("--pool=threads", "--concurrency=2", "--loglevel=INFO")
    started = {"DOCKER_HOST": simulator.serve(engine), "ENGINE_TIMEOUT": "300"}
    worker = processes.start("worker", "celery", "-A", "tests.acceptance.hasty", "worker", *options, **started)
    eventually(lambda: worker.poll() is not None, what="the worker has ended")
    assert worker.returncode == HUNG_STATUS
    assert "reconcile_host took longer than its time limit" in processes.log("worker")


def test_beat_ends_even_if_the_signal_comes_in_the_middle_of_a_send(processes: Processes) -> None:
    """redis-py can lose the exception of Celery's own signal handler: beat then went on for ever."""
    processes.start(
        "beat", "celery", "-A", "tinyforge", "beat", "--scheduler", "tests.acceptance.deaf_scheduler:DeafScheduler"
    )
    eventually(lambda: "ticking" in processes.log("beat"), what="a tick")
    assert processes.stop("beat") == 0
