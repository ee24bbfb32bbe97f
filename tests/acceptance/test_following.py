"""Whoever follows the feed over HTTP ends with exactly the table, though web, writers and connections die."""

import contextlib
import os
import signal
from typing import Any

import pytest
from django.utils import timezone

from dev.index import Processes
from reconciler.models import Container, Feed, Host, Transition
from simulator import Engine, Server
from tests.acceptance.readers import Reader, all_following
from tests.acceptance.site import LOST, Web
from tests.builders import workload
from tests.waiting import WAIT_SECONDS, eventually
from web.models import Scope, Token

HOSTS = [f"h{number}" for number in range(8)]


@pytest.mark.slow
def test_every_reader_ends_with_the_table_whoever_is_killed(processes: Processes) -> None:
    """I16."""
    Host.objects.bulk_create(Host(name=name) for name in HOSTS)
    web = Web(processes)
    web.start(workers=2)
    with all_following(web):
        writers = [processes.start(f"writers-{n}", "tests.acceptance.writers", "1", *HOSTS[n::2]) for n in range(2)]
        eventually(lambda: Transition.objects.count() > 50, what="the writers write")
        web.kill_one_process()
        writers[0].kill()
        eventually(lambda: Transition.objects.count() > 150, what="the other writers write")
        web.kill()
        web.start(workers=2)
        again = processes.start("writers-2", "tests.acceptance.writers", "2", *HOSTS[0::2])
        for writer in (writers[1], again):
            assert writer.wait(WAIT_SECONDS) == 0


def states(engines: dict[str, Engine]) -> set[tuple[str, str]]:
    """Return what the table should hold: each row, and the state of its container."""
    return {
        (f"shop:r{number}@{host}", "running" if container.is_up else "stopped")
        for host, engine in engines.items()
        for number, container in enumerate(engine.containers.values())
    }


def rows_now() -> set[tuple[str, str]]:
    return set(Container.objects.values_list("id", "state"))


@pytest.mark.slow
def test_every_reader_ends_with_the_table_though_workers_are_killed_in_their_passes(
    processes: Processes, simulator: Server
) -> None:
    """I16: and every change that an Engine keeps is in the table soon after."""
    engines = {name: Engine() for name in HOSTS}
    for name, engine in engines.items():
        Host.objects.create(name=name, url=simulator.serve(engine))
        for number in range(3):
            engine.add(labels=workload("shop", role=f"r{number}"))
    web = Web(processes)
    web.start()
    # a dead worker's lock and requests are soon forgotten
    soon = {"LOCK_TTL": "1", "RECONCILE_INTERVAL": "1"}
    with all_following(web):
        processes.beat()
        worker = processes.worker(**soon)
        for kills_web in (False, True, False):
            eventually(lambda: rows_now() == states(engines), what="the table is as the Engines are")
            for engine in engines.values():
                for each in list(engine.containers.values()):
                    (engine.stop if each.is_up else engine.start)(each.id)
            before = rows_now()
            eventually(lambda: rows_now() != before, what="some passes are over and others not")  # noqa: B023
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait(WAIT_SECONDS)
            if kills_web:
                web.kill()
                web.start()
            worker = processes.worker(**soon)
        eventually(lambda: rows_now() == states(engines), what="the table is as the Engines are")
        processes.stop("beat")
        processes.stop("worker")


@pytest.fixture
def with_one_place(processes: Processes) -> tuple[Web, Reader]:
    """A site at which one may follow, and somebody who may read."""
    web = Web(processes)
    web.start(FOLLOWERS_MOST="1")
    return web, Reader(web, Token.objects.issue("reader", Scope.READ)[1], 0)


def may_follow(reader: Reader) -> bool:
    """Tell whether a stream begins."""
    with contextlib.suppress(*LOST), reader.asked("changes", Accept="text/event-stream"):
        return True
    return False


@pytest.mark.slow
def test_a_follower_who_has_hung_up_gives_the_place_back(with_one_place: tuple[Web, Reader]) -> None:
    """I19: it is noticed when the next bookmark cannot be sent."""
    _, reader = with_one_place
    with reader.asked("changes", Accept="text/event-stream") as stream:
        assert not may_follow(reader)
        stream.close()
    eventually(lambda: may_follow(reader))


@pytest.mark.slow
def test_a_follower_who_reads_nothing_loses_the_place(with_one_place: tuple[Web, Reader]) -> None:
    """I19: a megabyte or so waits for it in buffers, and then nothing is sent for half a minute."""
    _, reader = with_one_place
    given: dict[str, Any] = {"row_id": "shop:web", "host_id": "local", "to_state": "running", "at": timezone.now()}
    Transition.objects.bulk_create(Transition(cause="x" * 900, **given) for _ in range(10_000))
    beginning = Feed.of_this_database().cursor(0)
    with reader.asked(f"changes?after={beginning}", Accept="text/event-stream"):
        eventually(lambda: may_follow(reader))
