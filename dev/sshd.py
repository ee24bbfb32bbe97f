"""A private ssh server on loopback, in front of an Engine, with its own host key and its own list of allowed keys."""

import os
import socket
from collections.abc import Mapping
from getpass import getuser
from pathlib import Path
from types import TracebackType
from typing import Self

from dev.packages import find_program
from dev.ports import free_port
from dev.process import Child, ServiceError, run_quietly

START_SECONDS = 15.0
STOP_SECONDS = 5.0
KEY_SECONDS = 60.0
# where Debian's sshd wants an empty folder to lock itself into
PRIVILEGE_FOLDER = Path("/run/sshd")


class Sshd:
    """An `sshd` of our own that lets in its user, by one key; `env` is what a session finds in its environment."""

    def __init__(self, directory: Path, *, env: Mapping[str, str]) -> None:
        """Describe the server; all it has lies in `directory`."""
        self.directory = directory.resolve()
        self.port = free_port()
        self.key = self.directory / "client_key"
        self._host_key = self.directory / "host_key"
        self._env = env
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """Return the address of the Engine behind it."""
        return f"ssh://{getuser()}@127.0.0.1:{self.port}"

    @property
    def known_host(self) -> str:
        """Return the line for a client's known_hosts."""
        kind, key, *_ = self._host_key.with_suffix(".pub").read_text().split()
        return f"[127.0.0.1]:{self.port} {kind} {key}\n"

    def start(self) -> Self:
        """Start the server and return once it listens."""
        sshd = find_program("sshd")
        if sshd is None:
            raise ServiceError("sshd is not installed; `apt-get install openssh-server`, or `python -m dev.packages`")
        self.directory.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            PRIVILEGE_FOLDER.mkdir(mode=0o755, exist_ok=True)
        for key in (self._host_key, self.key):
            if not key.exists():
                make_key(key)
        config = self.directory / "sshd_config"
        config.write_text(self._config())
        self._child = Child("sshd", [sshd, "-D", "-e", "-f", str(config)], directory=self.directory)
        self._child.start(self._listens, timeout_seconds=START_SECONDS)
        return self

    def stop(self) -> None:
        """End the server; sessions that are open run on."""
        if self._child is not None:
            self._child.stop(timeout_seconds=STOP_SECONDS)

    def _config(self) -> str:
        options = {
            "ListenAddress": f"127.0.0.1:{self.port}",
            "HostKey": self._host_key,
            "AuthorizedKeysFile": self.key.with_suffix(".pub"),
            "AuthenticationMethods": "publickey",
            "PermitRootLogin": "prohibit-password",
            "StrictModes": "no",
            "UsePAM": "no",
            "PidFile": "none",
            "SetEnv": " ".join(f"{name}={value}" for name, value in self._env.items()),
        }
        return "".join(f"{name} {value}\n" for name, value in options.items())

    def _listens(self) -> bool:
        with socket.socket() as connection:
            return connection.connect_ex(("127.0.0.1", self.port)) == 0

    def __enter__(self) -> Self:
        """Start the server."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the server."""
        self.stop()


def make_key(path: Path) -> None:
    """Make a key pair without a passphrase: PATH and PATH.pub."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "made for tests", "-f", str(path)]
    run_quietly(command, timeout_seconds=KEY_SECONDS)
