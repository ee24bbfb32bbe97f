"""A private Docker Engine on a unix socket: its own data, its own containerd, its own network namespace."""

import contextlib
import os
import shutil
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import docker
import requests
from docker.tls import TLSConfig

from dev.busybox import import_busybox
from dev.debian import Programs, unpacked
from dev.engine_leftovers import end_containerd, end_leftovers, remove_control_groups, unmount_leftovers
from dev.packages import SYSTEM_FOLDERS
from dev.place import PROJECT
from dev.process import Child, ServiceError

START_SECONDS = 60.0
# A container gets ten seconds to end before the daemon kills it, and the daemon five more.
STOP_SECONDS = 25.0
PING_SECONDS = 2
# sun_path holds 108 bytes on Linux; containerd's own socket below exec-root is the longest.
LONGEST_SOCKET_PATH = 107
LONGEST_SOCKET_BELOW = "exec/containerd/containerd-debug.sock"


class DockerEngine:
    """A `dockerd` of our own. Containers on it run with `network_mode="none"`; images are imported, not pulled.

    It has a network namespace of its own. Without one, a daemon without a bridge would delete the bridge `docker0` of
    the daemon that this machine may have, and with it the network of all containers there.
    """

    def __init__(
        self,
        directory: Path,
        *,
        extra_args: Sequence[str] = (),
        hosts: Sequence[str] = (),
        data_root: Path | None = None,
        programs: Programs | None = None,
    ) -> None:
        """Describe the daemon; all it has lies in `directory`; images and containers may lie in `data_root`.

        Besides its socket it may serve `hosts`, each `tcp://ADDRESS:PORT`. Its `programs` are those of this machine,
        or of another Debian release; runc is always this machine's.
        """
        self.directory = directory.resolve()
        self.socket = self.directory / "docker.sock"
        self.exec_root = self.directory / "exec"
        self.data_root = (data_root or self.directory / "data").resolve()
        self._addresses = [host.removeprefix("tcp://") for host in hosts]
        self._arguments = [*(["--host=fd://"] if hosts else []), *extra_args]
        self._programs = programs
        self.enter_network: Sequence[str] = ("unshare", "--net")
        """What puts the daemon into its network, which leads nowhere; another one may be set before start()."""
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """Return the address for DOCKER_HOST."""
        return f"unix://{self.socket}"

    @property
    def running(self) -> bool:
        """Tell whether the daemon is alive."""
        return self._child is not None and self._child.running

    @property
    def pid(self) -> int:
        """Return the daemon's process id; it must have been started."""
        if self._child is None:
            raise ServiceError(f"the engine at {self.url} was not started; call start() first")
        return self._child.pid

    def start(self) -> Self:
        """Start the daemon and return once it answers; again at the same address after stop() or kill()."""
        if self.running:
            raise ServiceError(f"the engine at {self.url} already runs; stop() it first")
        _require_root(self.directory)
        folders = _folders(self._programs)
        command = self._command(_require_dockerd(folders))
        self.directory.mkdir(parents=True, exist_ok=True)
        self._child = Child(
            "dockerd",
            command,
            directory=self.directory,
            env={**os.environ, "PATH": folders},
        )
        # A killed daemon's pid file would stop its successor while that id is in use, and so would its containerd.
        (self.directory / "pid").unlink(missing_ok=True)
        end_containerd(self.exec_root)
        try:
            self._child.start(lambda: silence_reason(self.url) is None, timeout_seconds=START_SECONDS)
        except ServiceError:
            self.clear()
            raise
        return self

    def stop(self) -> None:
        """End the daemon with its containers, and clear away what it left running or mounted."""
        if self._child is not None:
            self._child.stop(timeout_seconds=STOP_SECONDS)
        self.clear()

    def kill(self) -> None:
        """Kill the daemon, as a crash would; its containers run on until start() or stop()."""
        if self._child is not None:
            self._child.kill()

    def restart(self) -> Self:
        """Start the daemon again after kill()."""
        return self.start()

    def clear(self) -> None:
        """End what a dead daemon left running, and clear away its mounts and control groups."""
        end_leftovers(self.exec_root)
        remove_control_groups(self.data_root)
        unmount_leftovers(self.exec_root)
        unmount_leftovers(self.data_root)

    def client(self, *, timeout_seconds: int = 30) -> docker.DockerClient:
        """Return a client of this daemon; close it after use."""
        return docker.DockerClient(base_url=self.url, timeout=timeout_seconds)

    def import_busybox(self, tag: str = "latest") -> str:
        """Import a static busybox as the image `tinyforge-busybox`; return its name with the tag."""
        with contextlib.closing(self.client()) as client:
            return import_busybox(client.api, tag)

    def check_health(self, container_id: str) -> None:
        """Do nothing: the daemon checks the health of its containers by itself."""

    def _command(self, dockerd: str) -> list[str]:
        listen = [sys.executable, str(PROJECT / "dev" / "listen.py"), *self._addresses, "--"]
        return [
            *(listen if self._addresses else []),
            *(*self.enter_network, dockerd),
            *(f"--data-root={self.data_root}", f"--exec-root={self.exec_root}"),
            *(f"--host={self.url}", f"--pidfile={self.directory / 'pid'}"),
            *("--bridge=none", "--iptables=false", *self._arguments),
        ]

    def __enter__(self) -> Self:
        """Start the daemon."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the daemon."""
        self.stop()


def silence_reason(url: str, tls: TLSConfig | bool = False) -> str | None:
    """Return why no engine answers at an address, or None if one does."""
    if url.startswith("unix://") and (reason := _unix_silence_reason(url.removeprefix("unix://"))):
        return reason
    try:
        # A version given keeps the constructor from asking, which would leave a connection open when it fails.
        client = docker.APIClient(base_url=url, tls=tls, timeout=PING_SECONDS, version="1.44")
    except docker.errors.DockerException as error:
        return str(error)
    try:
        client.version(api_version=False)
    except (docker.errors.DockerException, requests.RequestException) as error:
        return str(error)
    else:
        return None
    finally:
        client.close()


def _unix_silence_reason(path: str) -> str | None:
    # Asked first, as the SDK forgets to close a unix socket that it cannot connect.
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PING_SECONDS)
            connection.connect(path)
    except OSError as error:
        return error.strerror or str(error)
    return None


def _folders(programs: Programs | None) -> str:
    """Return where the daemon finds its programs: those of another release before this machine's."""
    machine = f"{os.environ.get('PATH', '')}:{SYSTEM_FOLDERS}"
    if programs is None:
        return machine
    root = unpacked(programs)
    return f"{root / 'usr' / 'sbin'}:{root / 'usr' / 'bin'}:{machine}"


def _require_dockerd(folders: str) -> str:
    dockerd = shutil.which("dockerd", path=folders)
    if dockerd is None:
        raise ServiceError(
            "dockerd is not installed; `apt-get install docker.io`, or call dev.services.install_docker()"
        )
    return dockerd


def _require_root(directory: Path) -> None:
    if os.geteuid() != 0:
        raise ServiceError(
            "a private Docker Engine needs root; run as root, or set DOCKER_HOST to an engine you may use"
        )
    longest = directory / LONGEST_SOCKET_BELOW
    if len(os.fsencode(longest)) > LONGEST_SOCKET_PATH:
        raise ServiceError(
            f"{directory} is too long a path for a Docker Engine, whose socket paths have {LONGEST_SOCKET_PATH} bytes; "
            "use a short directory, such as one made by tempfile.mkdtemp(dir='/tmp')"
        )
