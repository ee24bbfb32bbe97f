"""Real parts for the tests: a private Docker Engine, the index's own processes, and the table that they share."""

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest
import redis
from django.conf import settings
from django.db import connection
from docker.models.containers import Container as DockerContainer

from dev.engine import DockerEngine
from dev.index import Processes
from dev.process import ServiceError
from reconciler.models import Host
from tests.conftest import unavailable
from tests.environment import DIRECTORY

WAIT_SECONDS = 30.0


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[DockerEngine]:
    """A private dockerd with an image of busybox."""
    engine = DockerEngine(DIRECTORY / "d")
    try:
        engine.start()
        engine.import_busybox()
    except ServiceError as error:
        unavailable(str(error))
    yield engine
    engine.stop()


class Containers:
    """Starts containers on a real Engine, and removes them in the end."""

    def __init__(self, engine: DockerEngine) -> None:
        self._client = engine.client()
        self._made: list[DockerContainer] = []

    def create(self, *label_maps: dict[str, str], name: str = "", **options: object) -> DockerContainer:
        """Create a container that sleeps, with these labels."""
        merged = {key: value for labels in label_maps for key, value in labels.items()}
        given: dict[str, object] = {"command": ["sleep", "3600"], "network_mode": "none", "stop_signal": "SIGKILL"}
        made = self._client.containers.create(
            "tinyforge-busybox", labels=merged, name=name or f"t-{uuid.uuid4().hex[:8]}", **(given | options)
        )
        self._made.append(made)
        return made

    def run(self, *label_maps: dict[str, str], name: str = "", **options: object) -> DockerContainer:
        """Create a container and start it."""
        made = self.create(*label_maps, name=name, **options)
        made.start()
        return made

    def remove_all(self) -> None:
        """Remove every container made here."""
        for made in self._made:
            with contextlib.suppress(docker.errors.NotFound):
                made.remove(force=True)
        self._client.close()


@pytest.fixture
def containers(docker_engine: DockerEngine) -> Iterator[Containers]:
    made = Containers(docker_engine)
    yield made
    made.remove_all()


def database_url() -> str:
    """Return the URL of the test database, for other processes."""
    given = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{given['NAME']}"
    head, _, tail = settings.DATABASE_URL.partition("?")
    return f"{head.rpartition('/')[0]}/{given['NAME']}{'?' + tail if tail else ''}"


@pytest.fixture
def processes(transactional_db: None, local: Host, valkey: redis.Redis, tmp_path: Path) -> Iterator[Processes]:
    """Processes of the index. A test that needs an Engine names it with DOCKER_HOST."""
    running = Processes(tmp_path, {"DATABASE_URL": database_url(), "LOG_LEVEL": "INFO"})
    yield running
    running.stop_all()


def eventually(condition: Callable[[], object], *, seconds: float = WAIT_SECONDS, what: str = "") -> None:
    """Wait until a condition holds, and fail with what it is if it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:g} s: {what or condition}")
        time.sleep(0.02)
