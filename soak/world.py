"""What the storm blows upon: real processes, a real database, Valkey and Engines, and many simulated Engines."""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import docker
import psutil
import requests

from dev.engine import DockerEngine
from dev.index import Processes
from dev.packages import install_faketime
from dev.ports import free_port
from dev.postgres import Postgres
from dev.process import ServiceError, wait_until
from dev.valkey import Valkey
from simulator import Engine, Server

SIMULATED = 50
REAL = ("local", "edge")
WITH_CLOCKS = ("worker-2", "watcher-2")
IMAGE = "tinyforge-busybox"
READY_SECONDS = 120.0
SETTINGS = {
    "DEBUG": "1",
    "LOG_LEVEL": "WARNING",
    "RECONCILE_INTERVAL": "5",
    "ENGINE_TIMEOUT": "5",
}
WORKER = ("celery", "-A", "tinyforge", "worker", "--loglevel=WARNING", "--without-gossip", "--without-mingle")
HOSTS = """
import os, sys
from reconciler.models import Host
for line in sys.stdin:
    name, url = line.split()
    Host.objects.update_or_create(name=name, defaults={"url": url})
"""


@dataclass(slots=True)
class World:
    """Everything, started by `with`, and gone after it."""

    directory: Path
    postgres: Postgres = field(init=False)
    valkey: Valkey = field(init=False)
    engines: dict[str, DockerEngine] = field(init=False)
    simulated: dict[str, Engine] = field(init=False)
    processes: Processes = field(init=False)
    port: int = field(init=False)
    urls: dict[str, str] = field(init=False)
    _environment: dict[str, str] = field(init=False)
    _commands: dict[str, tuple[str, ...]] = field(init=False)
    _running: dict[str, subprocess.Popen[bytes]] = field(init=False, default_factory=dict)
    _faketime: Path | None = field(init=False)
    _ends: contextlib.ExitStack = field(init=False, default_factory=contextlib.ExitStack)

    def __enter__(self) -> Self:
        """Start everything."""
        with self._ends:
            self._start()
            self._ends = self._ends.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything."""
        self._ends.close()

    @property
    def names(self) -> Sequence[str]:
        """Return the names of the index's processes."""
        return tuple(self._commands)

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to one of the index's processes and to its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._running[name].pid, number)

    def kill(self, name: str) -> None:
        """Kill a process with its children."""
        self.send(name, signal.SIGKILL)
        self._running[name].wait()

    def revive(self) -> list[str]:
        """Start what has ended, as production's supervisor does; return the names."""
        dead = [name for name in self._commands if name not in self._running or self._running[name].poll() is not None]
        for name in dead:
            clock = self._clock(name) if name in WITH_CLOCKS and self._faketime else {}
            self._running[name] = self.processes.start(name, *self._commands[name], **clock)
        return dead

    def set_clock(self, name: str, seconds: int) -> None:
        """Let the clock of a process be wrong by so many seconds, from now on."""
        (self.directory / f"{name}.clock").write_text(f"{seconds:+}")

    def add_host(self, name: str) -> None:
        """Let the index look at a simulated host."""
        self._manage("host", "add", name, self.urls[name])

    def remove_host(self, name: str) -> None:
        """Let the index forget a host and its rows."""
        self._manage("host", "remove", name, "--with-rows")

    def is_ready(self) -> bool:
        """Tell whether the page's server says that the index is ready."""
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/livez", timeout=5).ok
        except requests.RequestException:
            return False

    def log_of(self, name: str) -> str:
        """Return what a process has written."""
        return self.processes.log(name)

    def _start(self) -> None:
        self.postgres = self._ends.enter_context(Postgres(self.directory / "pg"))
        self.valkey = self._ends.enter_context(Valkey(self.directory / "v", port=free_port()))
        self.engines = {name: self._ends.enter_context(DockerEngine(self.directory / name)) for name in REAL}
        for engine in self.engines.values():
            engine.import_busybox()
        server = self._ends.enter_context(Server())
        self.simulated = {f"sim-{number:02}": Engine(api_version="1.47") for number in range(SIMULATED)}
        self.urls = {name: server.serve(engine) for name, engine in self.simulated.items()}
        self.urls |= {name: engine.url for name, engine in self.engines.items() if name != "local"}
        self.port = free_port()
        self._faketime = install_faketime()
        self._environment = SETTINGS | {
            "SECRET_KEY": secrets.token_hex(32),
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.valkey.url,
            "DOCKER_HOST": self.engines["local"].url,
        }
        self._manage("migrate", "--verbosity=0")
        lines = "".join(f"{name} {url}\n" for name, url in self.urls.items())
        self._manage("shell", "--no-imports", "-c", HOSTS, given=lines)
        self.processes = Processes(self.directory, self._environment)
        for name in WITH_CLOCKS:
            self.set_clock(name, 0)
        self._ends.callback(self._end_processes)
        self._commands = {
            "worker-1": (*WORKER, "--hostname=one@%h", "--concurrency=3"),
            "worker-2": (*WORKER, "--hostname=two@%h", "--concurrency=3"),
            "beat": ("celery", "-A", "tinyforge", "beat", "--loglevel=WARNING"),
            "watcher-1": ("manage", "watch"),
            "watcher-2": ("manage", "watch"),
            "web": ("gunicorn", "-c", "python:tinyforge.server", "--bind", f"127.0.0.1:{self.port}", "--workers", "1"),
        }
        self.revive()
        wait_until(self.is_ready, timeout_seconds=READY_SECONDS)

    def _clock(self, name: str) -> dict[str, str]:
        """Return the settings that give a process a clock of its own; time that only moves forward stays true."""
        return {
            "LD_PRELOAD": str(self._faketime),
            "FAKETIME_TIMESTAMP_FILE": str(self.directory / f"{name}.clock"),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def _manage(self, *command: str, given: str = "") -> None:
        done = subprocess.run(
            [sys.executable, "-m", "manage", *command],
            env=os.environ | self._environment,
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=READY_SECONDS,
        )
        if done.returncode:
            raise ServiceError(f"manage.py {' '.join(command[:2])} failed: {done.stderr.strip()[-500:]}")

    def _end_processes(self) -> None:
        for name in self._running:
            self.send(name, signal.SIGCONT)
        self.processes.stop_all()


def freeze(pid: int, number: signal.Signals) -> None:
    """Send SIGSTOP or SIGCONT to a server and its children; PostgreSQL gives each of them a group of its own."""
    with contextlib.suppress(psutil.NoSuchProcess):
        server = psutil.Process(pid)
        for process in (server, *server.children(recursive=True)):
            process.send_signal(number)


@contextlib.contextmanager
def client_of(engine: DockerEngine) -> Iterator[docker.DockerClient]:
    """Yield a client of a real Engine, and close it."""
    client = engine.client(timeout_seconds=10)
    try:
        yield client
    finally:
        client.close()


def states_of(engine: DockerEngine) -> dict[str, str]:
    """Return what a real Engine says of each of its containers by ID, in Docker's words."""
    with client_of(engine) as client:
        listed: list[dict[str, Any]] = client.api.containers(all=True)
    return {item["Id"]: item["State"] for item in listed}
