"""What can be done to every server: PostgreSQL, Valkey and dockerd alike."""

import contextlib
import signal
from typing import Protocol

import psutil


class Server(Protocol):
    """A server that can be killed, stopped with SIGSTOP, and started again."""

    @property
    def pid(self) -> int:
        """Return its process id."""

    @property
    def running(self) -> bool:
        """Tell whether it is alive."""

    def kill(self) -> None:
        """Kill it, as a crash would."""

    def restart(self) -> object:
        """Start it again after a crash, at the same address."""


def freeze(server: Server, number: signal.Signals) -> None:
    """Send SIGSTOP or SIGCONT to a server and its children; PostgreSQL gives each of them a group of its own."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(server.pid)
        for each in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.send_signal(number)


def start_again(server: Server) -> None:
    """Start a server that does not run."""
    if not server.running:
        server.restart()
