"""A pytest plugin: the environment in which the tests run, set before Django reads its settings.

TEST_DATABASE chooses `sqlite` (the default) or `postgres`: a server named by TEST_POSTGRES_URL, or
one this module starts. Valkey's address is fixed here; the fixture `valkey` starts it.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from dev.ports import free_port
from dev.postgres import Postgres

DIRECTORY = Path(tempfile.mkdtemp(prefix="tf-", dir="/tmp"))
DATABASE = os.environ.get("TEST_DATABASE", "sqlite")
VALKEY_PORT = free_port()

atexit.register(shutil.rmtree, DIRECTORY, ignore_errors=True)


def _database_url() -> str:
    if DATABASE == "sqlite":
        return f"sqlite:///{DIRECTORY}/db.sqlite3"
    if DATABASE != "postgres":
        raise SystemExit(f"TEST_DATABASE={DATABASE!r} is not usable; allowed: sqlite, postgres")
    server = Postgres(DIRECTORY / "pg").start()
    atexit.register(server.stop)
    return server.url


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
