"""A network of its own for a daemon, which leads out through this machine, and some of whose ports this machine gets.

slirp4netns passes on what comes from there as any program would. So no interface, route or packet filter of this
machine changes, and nothing of it outlives its two processes.
"""

import json
import socket
from pathlib import Path
from typing import Any

from dev.packages import SLIRP_PACKAGES, install_slirp
from dev.process import Child, ServiceError

START_SECONDS = 30.0
STOP_SECONDS = 5.0
ANSWER_SECONDS = 5.0
LONGEST_ANSWER_BYTES = 4096
INTERFACE = "tap0"


class PrivateNetwork:
    """A network namespace that is there from start() to stop(), whatever runs in it."""

    def __init__(self, directory: Path) -> None:
        """Describe it; its logs and its socket lie in `directory`, whose path has to be short."""
        self._socket = directory / "slirp.sock"
        # Somebody has to be in the namespace for as long as it is wanted.
        self._holder = Child("network", ["unshare", "--net", "sleep", "infinity"], directory=directory)
        self._directory = directory
        self._way_out: Child | None = None

    @property
    def enter(self) -> list[str]:
        """Return what to put before a command, so that it runs in this network."""
        return ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net"]

    def start(self) -> None:
        """Make the network and the way out of it. Raises ServiceError."""
        program = _require_slirp()
        self._socket.unlink(missing_ok=True)
        self._holder.start(self._is_separate, timeout_seconds=START_SECONDS)
        # Programs in there cannot reach what listens on this machine's loopback.
        options = ["--configure", "--mtu=65520", "--disable-host-loopback", f"--api-socket={self._socket}"]
        command = [program, *options, str(self._holder.pid), INTERFACE]
        self._way_out = Child("slirp4netns", command, directory=self._directory)
        self._way_out.start(self._leads_out, timeout_seconds=START_SECONDS)

    def stop(self) -> None:
        """End the network; what still runs in it has no way out any more."""
        for child in (self._way_out, self._holder):
            if child is not None:
                child.stop(timeout_seconds=STOP_SECONDS)

    def publish(self, port: int, *, inner_port: int) -> None:
        """Let this machine reach a port in there, on its loopback. Raises ServiceError."""
        where = {"proto": "tcp", "host_addr": "127.0.0.1", "host_port": port, "guest_port": inner_port}
        answer = self._ask({"execute": "add_hostfwd", "arguments": where})
        if "error" in answer:
            raise ServiceError(f"port {port} of 127.0.0.1 cannot be passed on: {answer['error']}; choose another one")

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(str(self._socket))
            connection.sendall(json.dumps(question).encode())
            connection.shutdown(socket.SHUT_WR)
            answer: dict[str, Any] = json.loads(connection.recv(LONGEST_ANSWER_BYTES))
        return answer

    def _is_separate(self) -> bool:
        return _namespace("self") != _namespace(str(self._holder.pid))

    def _leads_out(self) -> bool:
        interfaces = Path(f"/proc/{self._holder.pid}/net/dev").read_text(encoding="ascii")
        return INTERFACE in interfaces and self._socket.exists()


def _namespace(process: str) -> Path:
    return Path(f"/proc/{process}/ns/net").readlink()


def _require_slirp() -> str:
    program = install_slirp()
    if program is None:
        raise ServiceError(f"slirp4netns is not installed; `apt-get install {' '.join(SLIRP_PACKAGES)}`")
    return program
