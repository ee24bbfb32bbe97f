"""A pytest plugin: the environment in which the tests run, set before Django reads its settings.

TEST_DATABASE chooses `sqlite` (the default) or `postgres`: a server named by TEST_POSTGRES_URL, or
one this module starts. Valkey's address is fixed here; the fixture `valkey` starts it.

Whatever a test has started ends with the process of pytest that ran it, also if that is killed: it has a guard.

With `-n` this runs in pytest's own process first, and then in each worker, which inherits the folder and the
PostgreSQL server of the run. Whatever else a worker needs is its own: a folder, a Valkey, Engines, databases.
"""

import atexit
import os
import sys
import tempfile
from pathlib import Path

from dev.guard import Guard
from dev.ports import free_port
from dev.postgres import Postgres

DATABASE = os.environ.get("TEST_DATABASE", "sqlite")
VALKEY_PORT = free_port()
GUARD = Guard("tests")


def _own_directory() -> Path:
    """Return a folder of this process, with a short path; pytest's own process removes it with all its workers'."""
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        folder = Path(os.environ["TEST_DIRECTORY"]) / worker
        folder.mkdir()
        return folder
    folder = Path(tempfile.mkdtemp(prefix="tf-", dir="/tmp"))
    os.environ["TEST_DIRECTORY"] = str(folder)
    GUARD.remove_at_end(folder)
    return folder


def _database_url() -> str:
    if DATABASE == "sqlite":
        return f"sqlite:///{DIRECTORY}/db.sqlite3"
    if DATABASE != "postgres":
        raise SystemExit(f"TEST_DATABASE={DATABASE!r} is not usable; allowed: sqlite, postgres")
    server = Postgres(DIRECTORY / "pg").start()
    atexit.register(server.stop)
    if server.home:
        GUARD.remove_at_end(server.home)
    os.environ["TEST_POSTGRES_URL"] = server.url
    return server.url


# a run starts hundreds of processes, and each of them would compile the whole project
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
DIRECTORY = _own_directory()
(DIRECTORY / "static").mkdir()
for name in [name for name in os.environ if name.startswith("DOCKER_")]:
    del os.environ[name]
os.environ.update(
    SECRET_KEY="only-for-tests-" + "x" * 50,
    DEBUG="0",
    HTTPS="0",
    REDIS_URL=f"redis://127.0.0.1:{VALKEY_PORT}/0",
    DATABASE_URL=_database_url(),
    DOCKER_HOST=f"unix://{DIRECTORY}/no-engine.sock",
    RECONCILE_INTERVAL="30",
    STATIC_ROOT=str(DIRECTORY / "static"),
)
