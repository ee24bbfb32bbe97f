"""A few tiny containers on a real engine: at least one for each label path, and some that give the page to tell of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import docker
from docker.models.containers import Container

from dev.busybox import REPOSITORY, import_busybox
from dev.packages import static_busybox
from dev.sample_rows import COMPOSE_PROJECT, GONE, INSTANCE, SHOP, SITE
from reconciler.core import labels

MARK = "tinyforge-sample"
IMAGE_TAG = "sample"
# Where no static busybox is installed, as on a Mac.
PUBLIC_IMAGE = ("busybox", "1.37")
PROBE_NS = 10_000_000_000
Act = Callable[[docker.DockerClient], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One sample container."""

    name: str
    labels: dict[str, str]
    command: list[str] | None = None
    restarts: bool = False
    is_unhealthy: bool = False


def samples() -> list[Sample]:
    """Return all sample containers: one is done, one crashes in a loop, one is unhealthy, one is an orphan."""
    return [
        Sample(
            name="tinyforge-sample-shop-web",
            labels={labels.WORKLOAD_ID: SHOP, labels.WORKLOAD_KIND: "project", labels.ROLE: "web"},
        ),
        Sample(
            name="tinyforge-sample-instance",
            labels={labels.INSTANCE_ID: INSTANCE, labels.STAGE: "production"},
        ),
        Sample(name="tinyforge-sample-site", labels={labels.STATIC_SITE: SITE}, is_unhealthy=True),
        Sample(
            name="tinyforge-sample-shop-worker",
            labels={labels.WORKLOAD_ID: SHOP, labels.WORKLOAD_KIND: "project", labels.ROLE: "worker"},
            command=["/bin/sh", "-c", "sleep 2; exit 7"],
            restarts=True,
        ),
        Sample(
            name="tinyforge-sample-orphan",
            labels={labels.WORKLOAD_ID: GONE, labels.WORKLOAD_KIND: "project", labels.ROLE: "web"},
        ),
        _service("api", 1),
        _service("api", 2),
        _service("db", 1, command=["/bin/true"]),
    ]


def start(client: docker.DockerClient) -> int:
    """Create and start the sample containers that are not there or do not run; return how many there are."""
    present = {container.name: container for container in _present(client)}
    image = _image(client)
    for sample in samples():
        container = present.get(sample.name) or _create(client, sample, image)
        if container.status != "running" and (sample.command is None or container.status == "created"):
            container.start()
    return len(samples())


def remove(client: docker.DockerClient) -> int:
    """Remove the sample containers and their image; return how many containers there were."""
    containers = _present(client)
    for container in containers:
        container.remove(force=True)
    try:
        client.images.remove(f"{REPOSITORY}:{IMAGE_TAG}")
    except docker.errors.ImageNotFound:
        return len(containers)
    return len(containers)


def _service(service: str, number: int, command: list[str] | None = None) -> Sample:
    return Sample(
        name=f"{COMPOSE_PROJECT}-{service}-{number}",
        labels={
            labels.COMPOSE_PROJECT: COMPOSE_PROJECT,
            labels.COMPOSE_SERVICE: service,
            labels.COMPOSE_NUMBER: str(number),
            labels.COMPOSE_ONE_OFF: "False",
        },
        command=command,
    )


def _present(client: docker.DockerClient) -> list[Container]:
    # By a mark of our own, so that nobody else's container can be taken for a sample.
    return client.containers.list(all=True, filters={"label": MARK})


def _create(client: docker.DockerClient, sample: Sample, image: str) -> Container:
    return client.containers.create(
        image,
        sample.command,
        name=sample.name,
        labels={**sample.labels, MARK: "true"},
        network_mode="none",
        stop_signal="SIGKILL",
        mem_limit="32m",
        **_options(sample),
    )


def _options(sample: Sample) -> dict[str, Any]:
    """Return what makes a sample crash in a loop, or be unhealthy."""
    options: dict[str, Any] = {}
    if sample.restarts:
        options["restart_policy"] = {"Name": "on-failure"}
    if sample.is_unhealthy:
        options["healthcheck"] = {"test": ["CMD", "/bin/false"], "interval": PROBE_NS, "retries": 2}
    return options


def _image(client: docker.DockerClient) -> str:
    name = f"{REPOSITORY}:{IMAGE_TAG}"
    if client.images.list(name=name):
        return name
    if static_busybox():
        return import_busybox(client.api, IMAGE_TAG)
    repository, tag = PUBLIC_IMAGE
    client.images.pull(repository, tag=tag).tag(REPOSITORY, IMAGE_TAG)
    return name
