"""Real parts for the tests: a private Docker Engine, the index's own processes, and the table that they share."""

import contextlib
import sys
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import docker
import pytest
import redis
from django.conf import settings
from django.db import connection
from django.test import Client
from docker.models.containers import Container as DockerContainer
from selenium import webdriver

from dev.engine import DockerEngine
from dev.engine_kinds import PrivateEngine
from dev.index import Processes
from dev.process import ServiceError
from reconciler.core.labels import ROLE, WORKLOAD_ID
from reconciler.models import Host
from tests.acceptance.browser import Window, start_chromium
from tests.acceptance.fleet import make_fleet, make_history
from tests.conftest import unavailable
from tests.environment import DIRECTORY
from tests.waiting import eventually
from web.pages.live import RENDERINGS

SomeEngine = TypeVar("SomeEngine", bound=PrivateEngine)


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[DockerEngine]:
    """A private dockerd with an image of busybox."""
    with running_engine(DIRECTORY / "d") as engine:
        yield engine


@contextlib.contextmanager
def running_engine(directory: Path, **options: Any) -> Iterator[DockerEngine]:
    """Start a private dockerd with an image of busybox, and end it whatever happens."""
    with running(DockerEngine(directory, **options)) as engine:
        yield engine


@contextlib.contextmanager
def running(engine: SomeEngine) -> Iterator[SomeEngine]:
    """Start a private Engine with an image of busybox, and end it whatever happens."""
    try:
        engine.start()
        engine.import_busybox()
    except ServiceError as error:
        engine.stop()
        unavailable(str(error))
    try:
        yield engine
    finally:
        engine.stop()


class Containers:
    """Starts containers on a real Engine, and removes them in the end."""

    def __init__(self, engine: PrivateEngine) -> None:
        self._client = engine.client()
        self._made: list[DockerContainer] = []

    def create(self, *label_maps: dict[str, str], name: str = "", **options: Any) -> DockerContainer:
        """Create a container that sleeps, with these labels."""
        merged = {key: value for labels in label_maps for key, value in labels.items()}
        given: dict[str, Any] = {"command": ["sleep", "3600"], "network_mode": "none", "stop_signal": "SIGKILL"}
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

    def states(self) -> dict[str, str]:
        """Return what the Engine says now of every container with a role: its state, by the id of its row."""
        listed = [(each["Labels"], each["State"]) for each in self._client.api.containers(all=True)]
        return {f"{has[WORKLOAD_ID]}:{has[ROLE]}": state for has, state in listed if has.get(ROLE)}

    def remove_all(self) -> None:
        """Remove every container made here, or else the tests that follow on this Engine would see it."""
        for made in self._made:
            eventually(partial(_is_removed, made), what=f"{made.name} is removed")

    def close(self) -> None:
        """Let go of the Engine."""
        self._client.close()


def _is_removed(made: DockerContainer) -> bool:
    """Remove a container; an Engine may refuse that while it starts, restarts or already removes it."""
    try:
        made.remove(force=True)
    except docker.errors.NotFound:
        return True
    except docker.errors.APIError:
        return False
    return True


@pytest.fixture
def containers(docker_engine: DockerEngine) -> Iterator[Containers]:
    made = Containers(docker_engine)
    yield made
    try:
        made.remove_all()
    finally:
        made.close()


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
    try:
        running.stop_all()
    finally:
        # pytest shows this if the test has failed
        sys.stderr.write("".join(f"--- {path.name}\n{path.read_text()[-3000:]}\n" for path in tmp_path.glob("*.log")))


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """A headless Chromium with an empty profile."""
    driver = start_chromium(tmp_path_factory.mktemp("chromium"))
    yield driver
    driver.quit()


@pytest.fixture
def window(chromium: webdriver.Chrome, live_server: Any, admin_client: Client, local: Host) -> Iterator[Window]:
    """A browser in which somebody is logged in, before a fleet in every condition."""
    RENDERINGS.forget()
    make_fleet()
    make_history()
    window = Window(chromium, live_server.url)
    window.sign_in(admin_client)
    # a stream would outlive its test
    window.block("*/api/v1/changes*")
    yield window
    window.block()
    window.forget()
