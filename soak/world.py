"""What the storm blows upon: real processes, a real database, Valkey and Engines, and many simulated Engines."""

import contextlib
import secrets
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import docker
import psycopg

from dev.engine import DockerEngine
from dev.guard import Guard
from dev.packages import install_faketime
from dev.ports import free_port
from dev.postgres import Postgres
from dev.process import ServiceError, wait_until
from dev.valkey import Valkey
from simulator import Engine
from simulator import Server as Simulator
from soak.crew import LOOPBACK, Crew, run_manage
from soak.disk import Disk
from soak.proxy import Proxies, Proxy
from soak.servers import Server, start_again

SIMULATED = 50
REAL = ("local", "edge")
BEHIND_PROXIES = ("edge", "sim-00", "sim-01", "sim-02", "sim-03", "sim-04")
IMAGE = "tinyforge-busybox"
READY_SECONDS = 120.0
INSIST_SECONDS = 120.0
CONNECT_SECONDS = 5
# the disk of the database is small
LITTLE_WAL = ("ALTER SYSTEM SET max_wal_size = '128MB'", "SELECT pg_reload_conf()")
IS_ENABLED = "SELECT enabled FROM reconciler_host WHERE name = %s"
HOSTS = """
import sys
from reconciler.models import Host
for line in sys.stdin:
    name, url = line.split()
    Host.objects.update_or_create(name=name, defaults={"url": url})
"""


@dataclass(slots=True)
class World:
    """Everything, started by `with`, and gone after it; if this process is killed, its guard clears up."""

    directory: Path
    guard: Guard
    disk: Disk = field(init=False)
    postgres: Postgres = field(init=False)
    valkey: Valkey = field(init=False)
    engines: dict[str, DockerEngine] = field(init=False)
    simulated: dict[str, Engine] = field(init=False)
    crew: Crew = field(init=False)
    proxies: dict[str, Proxy] = field(init=False)
    urls: dict[str, str] = field(init=False)
    _commands: dict[str, str] = field(init=False)
    _errands: list[Future[None]] = field(init=False, default_factory=list)
    _errand_boy: ThreadPoolExecutor = field(init=False)
    _ends: contextlib.ExitStack = field(init=False, default_factory=contextlib.ExitStack)

    def __enter__(self) -> Self:
        """Start everything."""
        self.guard.remove_at_end(self.directory)
        with self._ends:
            self._start_servers()
            self._open_proxies()
            self._start_index()
            self._errand_boy = self._ends.enter_context(ThreadPoolExecutor(max_workers=1))
            self._ends = self._ends.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything."""
        self._ends.close()

    def add_host(self, name: str) -> None:
        """Let the index look at a host."""
        self._insist("add", name, self.urls[name], until=lambda: self._is_enabled(name) is not None)

    def remove_host(self, name: str) -> None:
        """Let the index forget a host and its rows."""
        self._insist("remove", name, "--with-rows", until=lambda: self._is_enabled(name) is None)

    def switch_off(self, name: str) -> None:
        """Let the index leave a host alone."""
        self._insist("disable", name, until=lambda: self._is_enabled(name) is False)

    def switch_on(self, name: str) -> None:
        """Let the index look at a host again."""
        self._insist("enable", name, until=lambda: self._is_enabled(name) is True)

    def ask(self, act: Callable[[str], None], name: str) -> None:
        """Let one of these acts be done after those that were asked for before; nobody waits for it here."""
        self._errands.append(self._errand_boy.submit(act, name))

    def wait_for_errands(self) -> None:
        """Wait until all that was asked for is done; raise what went wrong."""
        for errand in self._errands:
            errand.result()
        self._errands.clear()

    def server(self, name: str) -> Server:
        """Return PostgreSQL, Valkey or a real Engine."""
        servers: dict[str, Server] = {"PostgreSQL": self.postgres, "Valkey": self.valkey, **self.engines}
        return servers[name]

    def heal(self) -> None:
        """Let nothing be wrong any more."""
        self.crew.revive()
        servers: list[Server] = [self.postgres, self.valkey, *self.engines.values()]
        for server in servers:
            start_again(server)
        for engine in self.simulated.values():
            engine.heal()

    def _insist(self, *command: str, until: Callable[[], bool]) -> None:
        """Try a command on hosts until it is done: the database may be down, or full."""
        gives_up_at = time.monotonic() + INSIST_SECONDS
        while True:
            failure = None
            try:
                run_manage("host", *command, environment=self._commands)
            except ServiceError as error:
                failure = error
            with contextlib.suppress(psycopg.Error):
                if until():
                    return
            if time.monotonic() > gives_up_at:
                raise ServiceError(f"`host {' '.join(command)}` had no effect in {INSIST_SECONDS:g} s") from failure

    def _is_enabled(self, name: str) -> bool | None:
        with psycopg.connect(self.postgres.url, connect_timeout=CONNECT_SECONDS) as connection:
            row = connection.execute(IS_ENABLED, [name]).fetchone()
        return row[0] if row else None

    def _start_servers(self) -> None:
        self.disk = self._ends.enter_context(Disk(self.guard.remove_at_end))
        self.postgres = self._ends.enter_context(Postgres(self.directory / "pg", parent=self.disk.path))
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            for statement in LITTLE_WAL:
                connection.execute(statement)
        self.valkey = self._ends.enter_context(Valkey(self.directory / "v", port=free_port()))
        self.engines = {name: self._ends.enter_context(DockerEngine(self.directory / name)) for name in REAL}
        for engine in self.engines.values():
            engine.import_busybox()
        server = self._ends.enter_context(Simulator())
        self.simulated = {f"sim-{number:02}": Engine(api_version="1.47") for number in range(SIMULATED)}
        self.urls = {name: server.serve(engine) for name, engine in self.simulated.items()}

    def _open_proxies(self) -> None:
        """Put proxies before PostgreSQL, Valkey and some of the Engines."""
        proxies = self._ends.enter_context(Proxies())
        self.proxies = {
            "PostgreSQL": proxies.open(self.postgres.socket),
            "Valkey": proxies.open((LOOPBACK, int(self.valkey.port or 0))),
            "edge": proxies.open(self.engines["edge"].socket),
        }
        for name in BEHIND_PROXIES[1:]:
            address, _, port = self.urls[name].removeprefix("tcp://").rpartition(":")
            self.proxies[name] = proxies.open((address, int(port)))
        self.urls |= {name: f"tcp://{LOOPBACK}:{self.proxies[name].port}" for name in BEHIND_PROXIES}

    def _start_index(self) -> None:
        faketime = install_faketime()
        if faketime is None:
            raise ServiceError("no libfaketime here; `apt-get install faketime`, which gives processes wrong clocks")
        addresses = {"SECRET_KEY": secrets.token_hex(32), "DOCKER_HOST": self.engines["local"].url}
        self._commands = addresses | {"DATABASE_URL": self.postgres.url, "REDIS_URL": self.valkey.url}
        run_manage("migrate", "--verbosity=0", environment=self._commands)
        lines = "".join(f"{name} {url}\n" for name, url in self.urls.items())
        run_manage("shell", "--no-imports", "-c", HOSTS, environment=self._commands, given=lines)
        addresses |= {
            "DATABASE_URL": f"postgres://postgres@{LOOPBACK}:{self.proxies['PostgreSQL'].port}/postgres",
            "REDIS_URL": f"redis://{LOOPBACK}:{self.proxies['Valkey'].port}/0",
        }
        self.crew = Crew(self.directory, addresses, faketime, free_port())
        self._ends.callback(self.crew.end)
        self.crew.revive()
        wait_until(self.crew.is_ready, timeout_seconds=READY_SECONDS)


def client_of(engine: DockerEngine) -> contextlib.closing[docker.DockerClient]:
    """Return a client of a real Engine, which `with` closes."""
    return contextlib.closing(engine.client(timeout_seconds=10))


def states_of(engine: DockerEngine) -> dict[str, str]:
    """Return what a real Engine says of each of its containers by ID, in Docker's words."""
    with client_of(engine) as client:
        listed: list[dict[str, Any]] = client.api.containers(all=True)
    return {item["Id"]: item["State"] for item in listed}
