"""The index's own processes, which a supervisor starts again whenever they have ended."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import requests

from dev.index import Processes
from dev.process import ServiceError

WITH_CLOCKS = ("worker-2", "watcher-2")
LOOPBACK = "127.0.0.1"
COMMAND_SECONDS = 60.0
LOG_LINES = 60
SETTINGS = {
    "DEBUG": "1",
    "LOG_LEVEL": "WARNING",
    "RECONCILE_INTERVAL": "5",
    "ENGINE_TIMEOUT": "5",
}
WORKER = ("celery", "-A", "tinyforge", "worker", "--without-gossip", "--without-mingle")
WITH_THREADS = ("--pool=threads", "--concurrency=8", "--loglevel=WARNING")


@dataclass(slots=True)
class Crew:
    """Two workers, two watchers, beat and web; `faketime` is the library that gives some of them a wrong clock."""

    directory: Path
    addresses: Mapping[str, str]
    faketime: Path
    port: int
    settings: dict[str, str] = field(default_factory=lambda: dict(SETTINGS))
    _processes: Processes = field(init=False)
    _commands: dict[str, tuple[str, ...]] = field(init=False)
    _running: dict[str, subprocess.Popen[bytes]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Say which processes there are; none is started yet."""
        self._processes = Processes(self.directory, dict(self.addresses))
        self._commands = {
            "worker-1": (*WORKER, *WITH_THREADS, "--hostname=one@%h"),
            "worker-2": (*WORKER, *WITH_THREADS, "--hostname=two@%h"),
            "beat": ("celery", "-A", "tinyforge", "beat", "--loglevel=WARNING"),
            "watcher-1": ("manage", "watch"),
            "watcher-2": ("manage", "watch"),
            "web": ("gunicorn", "-c", "python:tinyforge.server", "--bind", f"{LOOPBACK}:{self.port}", "--workers", "1"),
        }
        for name in WITH_CLOCKS:
            self.set_clock(name, 0)

    @property
    def names(self) -> Sequence[str]:
        """Return the names of the processes."""
        return tuple(self._commands)

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process and to its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._running[name].pid, number)

    def kill(self, name: str) -> None:
        """Kill a process with its children."""
        self.send(name, signal.SIGKILL)
        self._running[name].wait()

    def ask_to_end(self, name: str) -> None:
        """Ask a process to end when it has done what it is doing; it is started again with the settings of then."""
        with contextlib.suppress(ProcessLookupError):
            self._running[name].terminate()

    def revive(self) -> None:
        """Start what has ended, as production's supervisor does."""
        for name, command in self._commands.items():
            if name not in self._running or self._running[name].poll() is not None:
                clock = self._clock(name) if name in WITH_CLOCKS else {}
                self._running[name] = self._processes.start(name, *command, **self.settings, **clock)

    def set_clock(self, name: str, seconds: int) -> None:
        """Let the clock of a process be wrong by so many seconds, from now on."""
        written = self.directory / "clock"
        written.write_text(f"{seconds:+}")
        # at once, because a process may read it at any moment
        written.replace(self._clock_file(name))

    def is_ready(self) -> bool:
        """Tell whether the page's server answers."""
        try:
            return requests.get(f"http://{LOOPBACK}:{self.port}/livez", timeout=5).ok
        except requests.RequestException:
            return False

    def logs(self) -> str:
        """Return the last lines that each process has written."""
        tails = {name: self._processes.log(name).splitlines()[-LOG_LINES:] for name in self._commands}
        return "\n".join(f"--- {name}\n" + "\n".join(lines) for name, lines in tails.items())

    def end(self) -> None:
        """End all of them, also those that are stopped."""
        for name in self._running:
            self.send(name, signal.SIGCONT)
        self._processes.stop_all()

    def _clock_file(self, name: str) -> Path:
        return self.directory / f"{name}.clock"

    def _clock(self, name: str) -> dict[str, str]:
        """Return the settings that give a process a clock of its own; time that only moves forward stays true."""
        return {
            "LD_PRELOAD": str(self.faketime),
            "FAKETIME_TIMESTAMP_FILE": str(self._clock_file(name)),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }


def run_manage(*command: str, environment: Mapping[str, str], given: str = "") -> None:
    """Run `manage.py`; raise ServiceError with its last words if it fails."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "manage", *command],
            env={**os.environ, **SETTINGS, **environment},
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise ServiceError(f"manage.py {' '.join(command[:2])} did not end in {COMMAND_SECONDS:g} s") from error
    if done.returncode:
        raise ServiceError(f"manage.py {' '.join(command[:2])} failed: {done.stderr.strip()[-500:]}")
