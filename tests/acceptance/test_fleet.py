"""Two real Engines as two hosts, one over TLS, with real processes; a hung host beside a sound one."""

import shutil
from collections.abc import Iterator

import pytest
from django.utils import timezone

from dev.engine import DockerEngine
from dev.index import Processes
from dev.ports import free_port
from reconciler.models import Container, Host, Transition
from simulator import Engine as SimulatedEngine
from simulator import Failure, Server
from tests.acceptance.conftest import Containers, running_engine
from tests.builders import certain, workload
from tests.certificates import Authority
from tests.environment import DIRECTORY
from tests.waiting import eventually

WEB = workload("shop", role="web")


@pytest.fixture
def authority() -> Iterator[Authority]:
    made = Authority(DIRECTORY / "fleet-tls")
    made.issue("server")
    made.issue("client")
    yield made
    shutil.rmtree(made.folder)


@pytest.fixture
def west_engine(authority: Authority) -> Iterator[DockerEngine]:
    """A second private dockerd, which speaks verified TLS on loopback too."""
    server, client = authority.files("server"), authority.files("client")
    url = f"tcp://127.0.0.1:{free_port()}"
    options = ("--tlsverify", f"--tlscacert={server.ca}", f"--tlscert={server.cert}", f"--tlskey={server.key}")
    files = {"tls_ca": client.ca, "tls_cert": client.cert, "tls_key": client.key}
    Host.objects.create(name="west", url=url, **{name: str(path) for name, path in files.items()})
    with running_engine(DIRECTORY / "w", hosts=[url], extra_args=options) as engine:
        yield engine


@pytest.fixture
def west_containers(west_engine: DockerEngine) -> Iterator[Containers]:
    made = Containers(west_engine)
    yield made
    made.close()


def shown() -> dict[str, tuple[str, str]]:
    """Return the effective state and the last known one, by row."""
    rows = Container.objects.with_effective_state()
    return {row.id: (row.effective_state, row.state) for row in rows}  # type: ignore[attr-defined]


def start_all(processes: Processes, url: str, **more: str) -> None:
    # with an interval of one second, three intervals without a look are over soon
    environment = {"DOCKER_HOST": url, "RECONCILE_INTERVAL": "1", **more}
    processes.worker(**environment)
    processes.watcher(**environment)
    processes.beat("1")


def test_two_engines_stay_apart_and_one_that_dies_is_unknown_alone(
    processes: Processes,
    docker_engine: DockerEngine,
    containers: Containers,
    west_engine: DockerEngine,
    west_containers: Containers,
) -> None:
    """I15, I17."""
    here, there = containers.run(WEB), west_containers.run(WEB)
    start_all(processes, docker_engine.url)
    eventually(lambda: shown() == dict.fromkeys(["shop:web", "shop:web@west"], ("running", "running")))
    bound = dict(Container.objects.values_list("id", "container_id"))
    assert bound == {"shop:web": here.id, "shop:web@west": there.id}

    # its details come with its row or in the pass after that
    eventually(lambda: not Container.objects.filter(details_state="owed").exists())
    before = Container.objects.values_list("state", "container_id", "updated_at").get(id="shop:web@west")
    west_engine.kill()
    eventually(lambda: shown()["shop:web@west"] == ("unknown", "running"), what="west is unknown")
    after = Container.objects.values_list("state", "container_id", "updated_at").get(id="shop:web@west")
    assert after == before
    here.pause()
    eventually(lambda: shown()["shop:web"] == ("paused", "paused"), what="the other is fresh")
    assert shown()["shop:web@west"] == ("unknown", "running")

    # a daemon that starts again without live-restore has ended its containers
    west_engine.start()
    eventually(lambda: shown()["shop:web@west"] == ("stopped", "stopped"), what="west is right again")
    there.start()
    eventually(lambda: shown()["shop:web@west"] == ("running", "running"), what="west is fresh")
    assert not Transition.objects.filter(to_state="missing").exists()


def test_a_hung_host_costs_nobody_elses_freshness(
    processes: Processes, simulator: Server, local: Host, docker_engine: DockerEngine, containers: Containers
) -> None:
    """I15: while one host hangs, for longer than any wait of this test, another one is looked at."""
    hung = SimulatedEngine()
    hung.fail(Failure.HANG, "*")
    Host.objects.create(name="hung", url=simulator.serve(hung))
    start_all(processes, docker_engine.url, ENGINE_TIMEOUT="300")
    eventually(lambda: len(hung.requests) >= 2, what="watcher and worker wait for the hung host")
    made = containers.run(WEB)
    eventually(lambda: shown().get("shop:web") == ("running", "running"))
    for act, state in ((made.pause, "paused"), (made.unpause, "running")) * 2:
        act()
        eventually(lambda: shown()["shop:web"][0] == state, what=state)  # noqa: B023 - called at once
    assert set(Host.objects.values_list("failures", flat=True)) == {0}
    hung.heal()


@pytest.mark.slow
def test_a_failing_host_is_left_alone_for_longer_and_longer(
    processes: Processes, simulator: Server, local: Host
) -> None:
    """I15."""
    failing = SimulatedEngine()
    failing.fail(Failure.ERROR)
    Host.objects.filter(name="local").update(url=simulator.serve(failing))
    processes.worker(RECONCILE_INTERVAL="1")
    # the boot pass waits for no next try, so it has to be over before ticks are judged
    host = eventually(lambda: Host.objects.filter(failures__gt=0).first(), what="it fails")
    processes.beat("1")
    for _ in range(3):
        later = eventually(lambda: Host.objects.filter(failures__gt=host.failures).first(), what="it is tried again")  # noqa: B023
        assert timezone.now() >= certain(host.retry_at), "it was left alone until then"
        host = later
    failing.heal()
    eventually(lambda: Host.objects.get(name="local").failures == 0, what="it answers again")


def test_what_is_held_is_confirmed_without_a_tick(processes: Processes, simulator: Server, local: Host) -> None:
    """I14."""
    engine = SimulatedEngine()
    for number in range(8):
        engine.add(f"c{number}", labels=workload("shop", role=f"r{number}"))
    environment = {"DOCKER_HOST": simulator.serve(engine), "HOLD_SECONDS": "2"}
    processes.worker(**environment)
    processes.watcher(**environment)
    eventually(lambda: Container.objects.filter(state="running").count() == 8, what="the first fill")
    engine.clear()
    survivor = engine.add("new", labels=workload("shop", role="new"))
    eventually(lambda: Container.objects.missing().count() == 8, what="confirmed")
    assert Container.objects.get(container_id=survivor).state == "running"
    assert set(Transition.objects.filter(to_state="missing").values_list("trigger", flat=True)) == {"confirm"}
