"""Settings from the environment: start-up as a person sees it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from kombu.connection import Connection

from dev.valkey import Valkey
from reconciler.lock import connect
from tests.starting import KEY, check, start, value_of
from tinyforge.broker_address import broker_url

PASSWORD = "hunter2"


WRONG = [
    ("DEBUG", "maybe", "1, true, yes, on, 0, false, no or off"),
    ("HTTPS", "2", "1, true, yes, on, 0, false, no or off"),
    ("CSRF_TRUSTED_ORIGINS", "index.example.org", "origins with their scheme"),
    ("DATABASE_URL", "mysql://host/db", "sqlite://… or postgres://… or postgresql://…"),
    ("DATABASE_URL", "db.sqlite3", "sqlite://… or postgres://…"),
    ("REDIS_URL", "http://host", "redis://… or rediss://… or unix://…"),
    ("REDIS_URL", "localhost:6379", "redis://…"),
    ("DOCKER_HOST", "/var/run/docker.sock", "the URL of an Engine (its scheme is none of unix, tcp, http, https, ssh)"),
    ("RECONCILE_INTERVAL", "often", "a number"),
    ("RECONCILE_INTERVAL", "nan", "a number"),
    ("ENGINE_TIMEOUT", "0", "a number greater than 0 and not greater than 300"),
    ("ENGINE_TIMEOUT", "10s", "a number greater than 0 and not greater than 300"),
    ("ENGINE_MAX_BODY_MIB", "0", "a whole number from 1 to 1024"),
    ("LOCK_TTL", "-1", "a number greater than 0 and not greater than 3600"),
    ("HOLD_SHARE", "1.5", "a number greater than 0 and not greater than 1"),
    ("HOLD_LEAST", "0", "a whole number from 1 to 1000000"),
    ("HOLD_SECONDS", "soon", "a number greater than 0 and not greater than 300"),
    ("INSPECT_MOST", "2.5", "a whole number from 0 to 10000"),
    ("INSPECT_SECONDS", "0", "a number greater than 0 and not greater than 60"),
    ("RESTART_LOOP_COUNT", "none", "a whole number from 1 to 1000"),
    ("RESTART_LOOP_SECONDS", "0", "a number greater than 0 and not greater than 86400"),
    ("TRANSITION_DAYS", "-1", "a whole number from 0 to 36500"),
    ("MISSING_DAYS", "ninety", "a whole number from 0 to 36500"),
    ("WORKER_CONCURRENCY", "many", "a whole number from 1 to 256"),
    ("INSTALL_ID", "x" * 129, "at most 128 printable characters"),
    ("LOG_LEVEL", "LOUD", "DEBUG, INFO, WARNING, ERROR, CRITICAL"),
    ("SECRET_KEY_FILE", "/nowhere/key", "a readable text file"),
]


@pytest.mark.parametrize(("name", "value", "allowed"), WRONG)
def test_a_wrong_value_stops_start_up_and_says_what_is_allowed(name: str, value: str, allowed: str) -> None:
    done = check(**({"SECRET_KEY": ""} if name == "SECRET_KEY_FILE" else {}), **{name: value})
    assert done.returncode == 1
    assert f"{name}={value!r} is not usable; allowed: {allowed}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL", "DOCKER_HOST"])
@pytest.mark.parametrize("url", [f"mysql://user:{PASSWORD}@host/db", f"mysql://user:{PASSWORD}/x@host:1/db"])
def test_a_password_is_not_shown_when_start_up_stops(name: str, url: str) -> None:
    done = check(**{name: url})
    assert (done.returncode, name in done.stderr) == (1, True)
    assert PASSWORD not in done.stderr + done.stdout


def test_production_without_a_secret_key_does_not_start() -> None:
    done = check(SECRET_KEY="")
    assert (done.returncode, "SECRET_KEY" in done.stderr) == (1, True)


def test_development_without_a_secret_key_starts_with_a_new_one_each_time() -> None:
    keys = {value_of("s.SECRET_KEY", SECRET_KEY="", DEBUG="1") for _ in range(2)}
    assert len(keys) == 2
    assert all(len(key) >= 50 for key in keys)


def test_a_secret_key_file_is_enough_to_start(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    assert value_of("s.SECRET_KEY", SECRET_KEY="", SECRET_KEY_FILE=str(tmp_path / "key")) == KEY


def test_nothing_but_a_secret_key_is_needed_and_production_is_the_default() -> None:
    assert value_of("s.DEBUG, s.SECURE_SSL_REDIRECT, s.RECONCILE_INTERVAL", HTTPS="") == "False True 30.0"


@pytest.mark.parametrize(
    ("given", "interval"),
    [("0", 30), ("-5", 30), ("301", 300), ("300", 300), ("5", 5), ("0.5", 0.5), ("", 30), ("1e9", 300)],
)
def test_the_interval_is_brought_within_its_limits(given: str, interval: float) -> None:
    entry = "s.CELERY_BEAT_SCHEDULE['reconcile']"
    shown = value_of(
        f"[float(n) for n in (s.RECONCILE_INTERVAL, {entry}['schedule'], {entry}['options']['expires'])]",
        RECONCILE_INTERVAL=given,
    )
    assert shown == str([float(interval)] * 3)


@pytest.mark.parametrize(
    ("given", "broker"),
    [
        ("unix:///run/redis.sock", "redis+socket:///run/redis.sock"),
        ("unix://:pw@/run/redis.sock?db=3", "redis+socket://:pw@/run/redis.sock?virtual_host=3"),
        ("redis://:pw@host:1/2", "redis://:pw@host:1/2"),
        ("rediss://host", "rediss://host"),
    ],
)
def test_locks_and_celery_share_one_redis(given: str, broker: str) -> None:
    assert value_of("s.REDIS_URL, s.CELERY_BROKER_URL", REDIS_URL=given) == f"{given} {broker}"


@pytest.mark.parametrize("database", ["", "?db=3"])
def test_locks_and_celery_share_one_database_behind_a_unix_socket(short: Path, database: str) -> None:
    with Valkey(short) as server, connect(f"{server.url}{database}") as locks:
        with Connection(broker_url(f"{server.url}{database}")) as celery:  # type: ignore[no-untyped-call]
            celery.default_channel.client.set("from", "celery")
        assert locks.get("from") == b"celery"


DATABASE_PROGRAM = """-c import django, sqlite3, sys; django.setup()
from django.db import connection, transaction
with transaction.atomic(), connection.cursor() as cursor:
    print(*(cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "busy_timeout")))
    try:
        sqlite3.connect(sys.argv[1], timeout=0).execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        print(error)
"""


def test_sqlite_serialises_writers_from_a_transactions_beginning_and_lets_readers_be(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite3"
    code = DATABASE_PROGRAM.replace("sys.argv[1]", repr(str(path)))
    done = start(code, DATABASE_URL=f"sqlite:///{path}", DJANGO_SETTINGS_MODULE="tinyforge.settings")
    assert done.stdout.splitlines() == ["wal 1 20000", "database is locked"], done.stderr


@pytest.mark.parametrize(("given", "most"), [({}, 24), ({"DATABASE_POOL": ""}, 24), ({"DATABASE_POOL": "5"}, 5)])
def test_threads_of_web_share_few_connections_to_postgresql_if_nothing_else_is_said(
    tmp_path: Path, given: dict[str, str], most: int
) -> None:
    program = "import tinyforge.wsgi; from django.conf import settings; print(settings.DATABASE_POOL)"
    done = start(f"-c {program}", DATABASE_URL="postgres://db.example/index", STATIC_ROOT=str(tmp_path), **given)
    assert (done.stdout.strip(), done.stderr) == (str(most), "")


def test_the_docker_sdk_is_loaded_by_nobody_who_connects_to_no_local_engine(tmp_path: Path) -> None:
    program = "import sys, tinyforge.wsgi, reconciler.engine.engine; print('docker' in sys.modules)"
    done = start(f"-c {program}", STATIC_ROOT=str(tmp_path))
    assert (done.stdout.strip(), done.stderr) == ("False", "")


# URLs of Engines, and the bounds of what they send


@pytest.mark.parametrize("url", ["ssh://$(id):1", "ssh://-oProxyCommand=id", "tcp://ops@west:2375", "tcp://west"])
def test_an_unusable_docker_host_stops_start_up(url: str) -> None:
    done = check(DOCKER_HOST=url)
    assert (done.returncode, "DOCKER_HOST=" in done.stderr, "Traceback" in done.stderr) == (1, True, False)


def test_the_root_of_tls_files_is_an_absolute_path() -> None:
    assert value_of("s.TLS_ROOT") == "None"
    assert value_of("s.TLS_ROOT", TLS_ROOT="/tls") == "/tls"
    assert "TLS_ROOT='tls' is not usable; allowed: an absolute path" in check(TLS_ROOT="tls").stderr


def test_a_debug_page_shows_no_password_of_a_url() -> None:
    """No page shows one, not even to a developer who shares a screen."""
    code = (
        "import django; django.setup()\n"
        "from django.views.debug import ExceptionReporter\n"
        "from django.test import RequestFactory\n"
        "print(ExceptionReporter(RequestFactory().get('/'), ValueError, ValueError('x'), None).get_traceback_html())"
    )
    urls = {
        "DATABASE_URL": f"postgres://tinyforge:{PASSWORD}@db/tinyforge",
        "REDIS_URL": f"redis://:{PASSWORD}@redis:6379/0",
    }
    env = os.environ | urls | {"DJANGO_SETTINGS_MODULE": "tinyforge.settings"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert "REDIS_URL" in done.stdout
    assert PASSWORD not in done.stdout
