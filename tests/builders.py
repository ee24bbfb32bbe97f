"""Builders of what daemons say and tables hold, and an Engine that says what a test wants."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from reconciler.core import labels
from reconciler.core.dispatch import Row
from reconciler.core.observation import Details, Observation, Skip, Snapshot
from reconciler.exceptions import EngineUnavailable, NoDetails

T = TypeVar("T")


def certain(value: T | None) -> T:
    """Return a value that must be there."""
    assert value is not None
    return value


def cid(name: str) -> str:
    """Return the container id that a name stands for in tests."""
    return hashlib.sha256(name.encode()).hexdigest()


def container(
    name: str,
    *label_maps: Mapping[str, str],
    state: str = "running",
    port: int = 0,
    created: int = 1_700_000_000,
    image: str = "app:1",
    **more: object,
) -> Observation:
    """Return an observed container; its id follows from its name."""
    merged = {key: value for labels in label_maps for key, value in labels.items()}
    return Observation(cid(name), name, image, state, merged, port, created, **more)  # type: ignore[arg-type]


STARTED = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)


def details(**told: object) -> Details:
    """Return what an inspect tells about a running container."""
    given: dict[str, object] = {
        "exit_code": None,
        "oom_killed": False,
        "restart_count": 0,
        "started_at": STARTED,
        "finished_at": None,
    }
    return Details(**(given | told))  # type: ignore[arg-type]


def workload(workload_id: str, *, role: str = "", kind: str = "", instance: str = "") -> dict[str, str]:
    """Return the labels of path 1."""
    named = {
        labels.WORKLOAD_ID: workload_id,
        labels.ROLE: role,
        labels.WORKLOAD_KIND: kind,
        labels.INSTANCE_ID: instance,
    }
    return {key: value for key, value in named.items() if value}


def instance(instance_id: str, *, stage: str = "") -> dict[str, str]:
    """Return the labels of path 2."""
    return {labels.INSTANCE_ID: instance_id} | ({labels.STAGE: stage} if stage else {})


def site(site_id: str) -> dict[str, str]:
    """Return the label of path 3."""
    return {labels.STATIC_SITE: site_id}


def compose(project: str, service: str = "", *, number: int | None = None, one_off: bool = False) -> dict[str, str]:
    """Return the labels of path 4."""
    made = {labels.COMPOSE_PROJECT: project}
    if service:
        made[labels.COMPOSE_SERVICE] = service
    if number is not None:
        made[labels.COMPOSE_NUMBER] = str(number)
    if one_off:
        made[labels.COMPOSE_ONE_OFF] = "True"
    return made


def row(row_id: str, container_name: str = "", **columns: object) -> Row:
    """Return a row as a plan reads it, bound to the container of that name, running on local."""
    given: dict[str, object] = {
        "host": "local",
        "container_id": cid(container_name) if container_name else "",
        "state": "running",
        "workload_id": row_id.split(":")[0],
        "workload_kind": "",
        "role": row_id.partition(":")[2],
        "image_ref": "app:1",
        "port": 0,
    }
    return Row(id=row_id, **(given | columns))  # type: ignore[arg-type]


@dataclass
class FakeEngine:
    """An Engine that lists what it is given, fails if told to, and can let something happen while it lists.

    Inspects give the details of containers by name, and of any other what a running one has; an
    exception given instead of details is raised.
    """

    containers: list[Observation] = field(default_factory=list)
    refusals: list[Skip] = field(default_factory=list)
    failure: str = ""
    meanwhile: Callable[[], object] | None = None
    listings: int = 0
    answered_at: datetime | None = None
    engine_id: str | EngineUnavailable = "THE:ENGINE"
    details: dict[str, Details | NoDetails] = field(default_factory=dict)
    inspected: list[str] = field(default_factory=list)
    given_seconds: list[float] = field(default_factory=list)

    @contextmanager
    def session(self) -> "Iterator[FakeEngine]":
        """Connect to itself."""
        yield self

    def identity(self, timeout_seconds: float) -> str:
        """Return its name, or fail if the test said so."""
        if isinstance(self.engine_id, EngineUnavailable):
            raise self.engine_id
        return self.engine_id

    def inspect(self, container_id: str, timeout_seconds: float) -> Details:
        """Return the details that the test gave."""
        self.given_seconds.append(timeout_seconds)
        self.inspected.append(container_id)
        told = {cid(name): told for name, told in self.details.items()}.get(container_id, details())
        if isinstance(told, NoDetails):
            raise told
        return told

    def listing(self) -> Snapshot:
        """Return the snapshot as it was before whatever happens meanwhile."""
        self.listings += 1
        listed = tuple(self.containers), tuple(self.refusals)
        snapshot = Snapshot(observations=listed[0], refusals=listed[1], answered_at=self.answered_at)
        if self.meanwhile:
            self.meanwhile()
        if self.failure:
            raise EngineUnavailable("local", "unix:///fake.sock", self.failure)
        return snapshot
