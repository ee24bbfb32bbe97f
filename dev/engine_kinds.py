"""The kinds of Engine that the index is tested on. A new kind is one entry in KINDS."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import docker

from dev.debian import Programs
from dev.engine import DockerEngine
from dev.podman import PodmanEngine

DOCKER_PACKAGES = ("docker.io", "containerd")
PODMAN_PACKAGES = ("podman", "crun", "netavark", "bash", "coreutils", "mount")


class PrivateEngine(Protocol):
    """An Engine of our own, which ends with what started it."""

    @property
    def url(self) -> str:
        """Return the address for DOCKER_HOST."""

    def start(self) -> object:
        """Start it and return once it answers; again with the same containers after stop()."""

    def stop(self) -> None:
        """End it with its containers."""

    def client(self, *, timeout_seconds: int = 30) -> docker.DockerClient:
        """Return a client of it; close it after use."""

    def import_busybox(self, tag: str = "latest") -> str:
        """Import a static busybox; return the image's name."""

    def check_health(self, container_id: str) -> None:
        """Let a container's health be checked now, if the Engine does not do that by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineKind:
    """A product and its version, how to have a private one in a folder, and what tests may expect of it.

    `differs` says in words, by test, where it does not do what Docker does; the other fields say the same to the
    tests. `failed_start_code` is the exit code of a container whose program does not exist, `while_ending` the state
    of one that was told to end and still lives, and `after_end` the state of one that ran when the Engine ended.
    """

    name: str
    title: str
    make: Callable[[Path], PrivateEngine]
    has_identity: bool = True
    tells_oom: bool = True
    failed_start_code: int | None = 127
    while_ending: str = "running"
    after_end: str = "stopped"
    differs: Mapping[str, str] = field(default_factory=dict)


_PODMAN_DIFFERS = {
    "test_a_container_that_could_not_be_started_has_the_exit_code_that_its_engine_gives": "it gives none",
    "test_a_container_that_was_told_to_end_lives_until_it_has_ended": "the state is `stopping` meanwhile",
    "test_an_engine_that_comes_back_is_the_same_one": "it has no identity that lasts",
    "test_a_health_change_is_in_the_table_without_a_tick": "health is known from an inspect at every look; without "
    "systemd Podman checks it only when it is told to, as in this test",
}

KINDS = (
    EngineKind(name="docker-20.10", title="Docker 20.10", make=DockerEngine),
    EngineKind(
        name="docker-26.1",
        title="Docker 26.1",
        make=lambda folder: DockerEngine(folder, programs=Programs(release="trixie", packages=DOCKER_PACKAGES)),
    ),
    EngineKind(
        name="podman-4.3",
        title="Podman 4.3",
        make=lambda folder: PodmanEngine(folder, Programs(release="bookworm", packages=PODMAN_PACKAGES, whole=True)),
        has_identity=False,
        tells_oom=False,
        failed_start_code=None,
        while_ending="stopping",
        after_end="created",
        differs=_PODMAN_DIFFERS
        | {
            "test_a_container_that_was_killed_because_memory_ran_out_says_so": "it says that the container was killed, "
            "and not that memory had run out",
            "test_an_engine_stopped_and_started_makes_nothing_missing_and_is_caught_up_with": "a container that ran "
            "when the machine went down is `created` afterwards, and not `exited`",
        },
    ),
    EngineKind(
        name="podman-5.4",
        title="Podman 5.4",
        make=lambda folder: PodmanEngine(folder, Programs(release="trixie", packages=PODMAN_PACKAGES, whole=True)),
        has_identity=False,
        failed_start_code=None,
        while_ending="stopping",
        differs=_PODMAN_DIFFERS,
    ),
)
"""The first is the one that `make test` uses, and has to be installed on the machine."""
