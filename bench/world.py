"""What a measurement works on, and removes: a database, a simulated daemon in its own process, and its rows."""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from dev.postgres import Postgres
from simulator import Engine, populate

START_SECONDS = 30.0


def end_in_order() -> None:
    """Make SIGTERM end this process as an error does, so that everything it started is ended as well."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


@contextlib.contextmanager
def database(directory: Path) -> Iterator[str]:
    """Yield the URL of a fresh database of the kind that BENCH_DATABASE names: sqlite, the default, or postgres."""
    if os.environ.get("BENCH_DATABASE", "sqlite") == "sqlite":
        yield f"sqlite:///{directory}/db.sqlite3"
        return
    server = Postgres(directory / "pg").start()
    try:
        yield server.url
    finally:
        server.stop()


@contextlib.contextmanager
def django_in(database_url: str) -> Iterator[None]:
    """Set Django up on a fresh database."""
    import django

    os.environ.update(
        SECRET_KEY=secrets.token_hex(32),
        HTTPS="0",
        LOG_LEVEL="ERROR",
        DATABASE_URL=database_url,
        DJANGO_SETTINGS_MODULE="tinyforge.settings",
    )
    django.setup()
    from django.core.management import call_command
    from django.db import connections

    call_command("migrate", verbosity=0)
    try:
        yield
    finally:
        connections.close_all()


@contextlib.contextmanager
def daemon(directory: Path, containers: int) -> Iterator[str]:
    """Run a simulated daemon with that many containers; yield its URL."""
    socket = directory / f"engine-{containers}.sock"
    ready = directory / f"ready-{containers}"
    command = [sys.executable, "-m", "simulator", "--socket", str(socket), "--ready-file", str(ready)]
    process = subprocess.Popen([*command, "--containers", str(containers)], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the simulator did not start: {' '.join(command)}")
            time.sleep(0.02)
        yield f"unix://{socket}"
    finally:
        process.terminate()
        process.wait()


def fill_catalogue(containers: int) -> None:
    """Store the workloads, instances and stacks that the daemon's containers name, and drop all other rows."""
    from reconciler.models import Container, Instance, Stack, Workload

    for model in (Container, Workload, Instance, Stack):
        model.objects.all().delete()
    rows = populate(Engine(), containers)
    Workload.objects.bulk_create(Workload(**row) for row in rows["workloads"])
    Instance.objects.bulk_create(Instance(**row) for row in rows["instances"])
    Stack.objects.bulk_create(Stack(**row) for row in rows["stacks"])


@contextlib.contextmanager
def short_directory() -> Iterator[Path]:
    """Make a directory with a path short enough for unix sockets, and remove it."""
    with tempfile.TemporaryDirectory(prefix="tf-bench-", dir="/tmp") as name:
        yield Path(name)
