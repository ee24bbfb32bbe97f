"""One run of the Compose file for all tests here, in their order: the image is built, and all services are started."""

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from dev.compose import ComposeEngine, ComposeSite
from dev.packages import install_docker
from dev.process import ServiceError
from tests.acceptance.compose.running import NAME, SERVICES, Running
from tests.acceptance.conftest import Containers
from tests.builders import workload
from tests.conftest import unavailable
from tests.environment import DIRECTORY

FIRST = "first:web"


@dataclass
class First:
    """How long it took from `docker compose up` until the first row was true."""

    seconds: float


def configure(site: ComposeSite) -> None:
    """Write the settings of a site. Ticks come more often than usual, because some tests wait for them."""
    site.configure(ALLOWED_HOSTS=NAME, RECONCILE_INTERVAL="10")


@pytest.fixture(scope="session")
def compose_engine() -> Iterator[ComposeEngine]:
    """A private Engine on which Compose can build and run."""
    if not install_docker():
        unavailable("a private Docker Engine needs root, dockerd and a static busybox")
    engine = ComposeEngine(DIRECTORY / "c")
    with contextlib.ExitStack() as stack:
        stack.callback(engine.stop)
        try:
            engine.start()
        except ServiceError as error:
            unavailable(str(error))
        yield engine


@pytest.fixture(scope="session")
def running(compose_engine: ComposeEngine) -> Iterator[Running]:
    """The services of this commit, not started yet."""
    site = ComposeSite(DIRECTORY / "site", compose_engine)
    site.fetch()
    configure(site)
    site.provide_images()
    site.compose("build")
    made = Running(site)
    yield made
    with contextlib.suppress(ServiceError):
        # pytest shows this if a test has failed
        sys.stderr.write(site.compose("logs", "--no-color", "--tail", "40", *SERVICES))
    made.close()


@pytest.fixture(scope="session")
def first(running: Running) -> First:
    """Start everything, with a container that is to get a row."""
    with contextlib.closing(Containers(running.site.engine.docker)) as containers:
        containers.run(workload("first", role="web"))
    began = time.monotonic()
    running.site.compose("up", "-d")
    running.add_people()
    running.see(FIRST, "running")
    return First(time.monotonic() - began)


@pytest.fixture
def containers(running: Running) -> Iterator[Containers]:
    made = Containers(running.site.engine.docker)
    yield made
    made.remove_all()
    made.close()
