"""A private Podman on a unix socket, in a root file system, a network and a process namespace of its own."""

import contextlib
import os
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import docker

from dev.busybox import import_busybox
from dev.debian import Programs, unpacked
from dev.engine import silence_reason
from dev.engine_leftovers import remove_control_groups
from dev.packages import find_program
from dev.place import PROJECT
from dev.process import Child, ServiceError

START_SECONDS = 60.0
# Podman's own defaults ask for more open files and processes than a small machine allows.
CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
STORAGE_CONF = """\
[storage]
driver = "overlay"
graphroot = "{data}"
runroot = "/run/containers/storage"
"""


class PodmanEngine:
    """Podman's service, which speaks Docker's API. Whatever it starts ends with it, also if it is killed."""

    def __init__(self, directory: Path, programs: Programs) -> None:
        """Describe the service; all it has lies in `directory`, apart from its programs."""
        self.directory = directory.resolve()
        self.programs = programs
        self.socket = self.directory / "podman.sock"
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """Return the address for DOCKER_HOST."""
        return f"unix://{self.socket}"

    @property
    def running(self) -> bool:
        """Tell whether the service is alive."""
        return self._child is not None and self._child.running

    def start(self) -> Self:
        """Start the service and return once it answers; again with the same containers after stop()."""
        if self.running:
            raise ServiceError(f"the engine at {self.url} already runs; stop() it first")
        if os.geteuid() != 0:
            raise ServiceError("a private Podman needs root; run as root")
        root = unpacked(self.programs)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.socket.unlink(missing_ok=True)
        (self.directory / "containers.conf").write_text(CONTAINERS_CONF)
        (self.directory / "storage.conf").write_text(STORAGE_CONF.format(data=self.directory / "data"))
        self._child = Child("podman", self._command(root), directory=self.directory)
        self._child.start(lambda: silence_reason(self.url) is None, timeout_seconds=START_SECONDS)
        return self

    def stop(self) -> None:
        """End the service with its containers: the first process takes its whole namespace with it."""
        if self._child is not None:
            self._child.kill()
            remove_control_groups(self.directory)

    def client(self, *, timeout_seconds: int = 30) -> docker.DockerClient:
        """Return a client of this service; close it after use."""
        return docker.DockerClient(base_url=self.url, timeout=timeout_seconds)

    def import_busybox(self, tag: str = "latest") -> str:
        """Import a static busybox as the image `tinyforge-busybox`; return its name with the tag."""
        with contextlib.closing(self.client()) as client:
            return import_busybox(client.api, tag)

    def check_health(self, container_id: str) -> None:
        """Check a container's health now: without systemd, Podman does so only if it is told to."""
        with contextlib.closing(self.client()) as client:
            # the SDK of Docker does not know this: it is of Podman's own API
            path = f"/v4.0.0/libpod/containers/{quote(container_id, safe='')}/healthcheck"
            client.api.get(f"{client.api.base_url}{path}").raise_for_status()

    def _command(self, root: Path) -> list[str]:
        unshare = find_program("unshare")
        if unshare is None:
            raise ServiceError("unshare is not installed; `apt-get install util-linux`")
        namespaces = ("--mount", "--net", "--pid", "--fork", "--kill-child", "--propagation=private")
        return [unshare, *namespaces, str(PROJECT / "dev" / "podman-room"), str(root), str(self.directory)]

    def __enter__(self) -> Self:
        """Start the service."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the service."""
        self.stop()
