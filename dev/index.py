"""The index's own processes, as production runs them, for tests and measurements."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from dev.process import ServiceError

STOP_SECONDS = 60.0
TAIL_LINES = 20
SMALL_WORKER = ("--pool=threads", "--concurrency=4")


class Processes:
    """Worker, beat and watcher on one database, Valkey and Engine; their output is kept in files."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self._directory = directory
        self._environment = environment
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start `python -m …` and return the process; its output is kept in a file."""
        with (self._directory / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", *command],
                env=os.environ | self._environment | environment,
                stdout=log,
                stderr=log,
                # a group of its own, so that a worker is killed with its children
                start_new_session=True,
            )
        return self._running[name]

    def worker(self, *options: str, name: str = "worker", **environment: str) -> subprocess.Popen[bytes]:
        """Start a Celery worker: with these options, or else a small one that takes all passes and is soon ready."""
        options = options or (*SMALL_WORKER, "--loglevel=INFO", "--without-gossip", "--without-mingle")
        return self.start(name, "celery", "-A", "tinyforge", "worker", f"--hostname={name}@%h", *options, **environment)

    def beat(self, interval: str = "1") -> subprocess.Popen[bytes]:
        """Start Celery beat, with one tick a second."""
        return self.start("beat", "celery", "-A", "tinyforge", "beat", "--loglevel=INFO", RECONCILE_INTERVAL=interval)

    def watcher(self, **environment: str) -> subprocess.Popen[bytes]:
        """Start the watcher."""
        return self.start("watcher", "manage", "watch", **environment)

    def log(self, name: str) -> str:
        """Return what a process has written."""
        return (self._directory / f"{name}.log").read_text(errors="replace")

    def alive(self) -> set[str]:
        """Return the names of the processes that run."""
        return {name for name, process in self._running.items() if process.poll() is None}

    def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> int:
        """End a process and return its exit status; if it does not end in time, kill it and say so."""
        process = self._running.pop(name)
        process.send_signal(number)
        if not _ends(process, STOP_SECONDS):
            raise ServiceError(self._failure(name, number))
        return process.returncode

    def stop_all(self) -> None:
        """End every process that still runs; kill those that do not end in time, and say which."""
        for process in self._running.values():
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        killed = [name for name, process in self._running.items() if not _ends(process, deadline - time.monotonic())]
        self._running.clear()
        if killed:
            raise ServiceError("\n".join(self._failure(name, signal.SIGTERM) for name in killed))

    def _failure(self, name: str, number: signal.Signals) -> str:
        tail = "\n".join(self.log(name).splitlines()[-TAIL_LINES:])
        return (
            f"{name} did not end within {STOP_SECONDS:g} s of {number.name} and was killed; its log ends with:\n{tail}"
        )


def _ends(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for a process to end; kill it, with all it has started, if it does not in time."""
    try:
        process.wait(max(0.0, seconds))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return False
    return True
