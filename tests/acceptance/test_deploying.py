"""A deployer that has nothing but curl and the docs deploys on a real Engine, and is told of a death."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.engine import DockerEngine
from dev.index import Processes
from dev.packages import find_program
from reconciler.models import Container, Host, Transition
from tests.acceptance.site import Web
from tests.builders import certain
from tests.conftest import unavailable
from tests.waiting import eventually
from web.models import Scope, Token

SCRIPT = Path(__file__).parent / "deployer.sh"


@pytest.fixture
def engine(docker_engine: DockerEngine) -> Iterator[DockerEngine]:
    """A real Engine, from which the deployer's containers are removed afterwards."""
    yield docker_engine
    with contextlib.closing(docker_engine.client()) as client:
        for made in client.containers.list(all=True, filters={"label": "tinyforge.workload.id=shop"}):
            made.remove(force=True)


def test_a_deployer_with_nothing_but_curl_deploys_and_is_told_of_a_death(
    processes: Processes, engine: DockerEngine, tmp_path: Path
) -> None:
    """Worker, beat, watcher and web are real processes; the container is made on a real Engine."""
    if find_program("curl") is None:
        unavailable("curl")
    _, token = Token.objects.issue("ci", Scope.DEPLOY)
    web = Web(processes)
    web.start()
    processes.worker(DOCKER_HOST=engine.url)
    processes.beat(interval="30")
    processes.watcher(DOCKER_HOST=engine.url)
    eventually(lambda: Host.objects.get(name="local").watching_since, what="the host is watched")
    environment = {"INDEX": f"http://127.0.0.1:{web.port}", "TOKEN": token, "ENGINE": str(engine.socket)}
    done = subprocess.run(
        ["sh", str(SCRIPT)],
        env=environment | {"PATH": "/usr/local/bin:/usr/bin:/bin"},
        cwd=tmp_path,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    row = Container.objects.get()
    assert done.stdout.decode().split() == [
        *("placed", "made", row.container_id, "bound", "running", "deployed", "dead"),
    ]
    assert (row.id, row.state, row.exit_code) == ("shop:web", "stopped", 137)
    assert certain(Transition.objects.of("shop:web").first()).cause == "a deploy was announced by token ci"
