"""The web process as production runs it, for tests that ask it over HTTP."""

import contextlib
import http.client
import os
import random
import signal
from typing import Any

import psutil

from dev.index import Processes
from dev.ports import free_port
from tests.waiting import WAIT_SECONDS, eventually

LOST = (OSError, http.client.HTTPException)
"""What a client sees of a server that is killed."""


class Web:
    """gunicorn, as production runs it, on the test's database."""

    def __init__(self, processes: Processes) -> None:
        self.port = free_port()
        self._processes = processes
        self._process: Any = None

    def start(self, workers: int = 1, **environment: str) -> None:
        """Start it, and wait until it answers."""
        options = ("-c", "python:tinyforge.server", "--bind", f"127.0.0.1:{self.port}", f"--workers={workers}")
        self._process = self._processes.start("web", "gunicorn", *options, DATABASE_POOL="8", **environment)
        eventually(self._answers, what="web answers")

    def kill_one_process(self) -> None:
        """Kill one of the processes that serve; gunicorn starts another."""
        random.choice(psutil.Process(self._process.pid).children()).kill()

    def kill_every_process(self) -> None:
        """Kill all of the processes that serve, so that every stream is cut; gunicorn starts others."""
        for process in psutil.Process(self._process.pid).children():
            process.kill()

    def kill(self) -> None:
        """Kill all of it at once."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(WAIT_SECONDS)

    def pause(self) -> None:
        """Stop all of it, so that it keeps its connections and answers nothing."""
        os.killpg(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        os.killpg(self._process.pid, signal.SIGCONT)

    def _answers(self) -> bool:
        with contextlib.suppress(*LOST), contextlib.closing(self.connect()) as server:
            server.request("GET", "/livez")
            return server.getresponse().status == 200
        return False

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
