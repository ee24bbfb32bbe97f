"""The index's own processes, as production runs them, for tests and measurements."""

import os
import signal
import subprocess
import sys
from pathlib import Path

STOP_SECONDS = 30.0


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
            )
        return self._running[name]

    def worker(self, *options: str, name: str = "worker", **environment: str) -> subprocess.Popen[bytes]:
        """Start a Celery worker: with these options, or else a small one that is soon ready."""
        options = options or ("--concurrency=2", "--loglevel=INFO", "--without-gossip", "--without-mingle")
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
        """End a process and return its exit status."""
        process = self._running.pop(name)
        process.send_signal(number)
        return process.wait(STOP_SECONDS)

    def stop_all(self) -> None:
        """End every process that still runs."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
