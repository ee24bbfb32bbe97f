"""Settings from the environment: the readers alone, and start-up as a person sees it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from kombu.connection import Connection

from dev.valkey import Valkey
from reconciler.checks import check_settings
from reconciler.core.engine_url import without_password
from reconciler.lock import connect
from tests.waiting import WAIT_SECONDS
from tinyforge.broker_address import broker_url
from tinyforge.celery import app
from tinyforge.env import Env

ROOT = Path(__file__).parents[2]
KEY = "only-for-tests-" + "k" * 50
PASSWORD = "hunter2"


def start(program: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program with these variables and no other variables of the project."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "SECRET_KEY": KEY, "HTTPS": "0"} | variables
    command = [sys.executable, "-W", "error", *program.split(" ", 1)]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False
    )


def check(**variables: str) -> subprocess.CompletedProcess[str]:
    return start("manage.py check", **variables)


def value_of(expression: str, **variables: str) -> str:
    done = start(f"-c from tinyforge import settings as s; print({expression})", **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# the readers


@pytest.mark.parametrize("value", ["1", "true", "YES", " on "])
def test_a_flag_can_be_on(value: str) -> None:
    assert Env({"DEBUG": value}).flag("DEBUG", default=False) is True


@pytest.mark.parametrize("value", ["0", "False", "no", "OFF"])
def test_a_flag_can_be_off(value: str) -> None:
    assert Env({"DEBUG": value}).flag("DEBUG", default=True) is False


@pytest.mark.parametrize("value", ["", "  "])
def test_empty_counts_as_unset(value: str) -> None:
    env = Env({"X": value})
    assert (env.text("X", "a"), env.flag("X", default=True), env.number("X", 3), env.words("X", ["b"])) == (
        "a", True, 3, ["b"],
    )  # fmt: skip


def test_words_are_separated_by_commas_and_cleaned() -> None:
    assert Env({"X": " a, b ,,c,"}).words("X") == ["a", "b", "c"]


def test_a_choice_may_be_given_in_lower_case() -> None:
    assert Env({"LOG_LEVEL": "debug"}).choice("LOG_LEVEL", "INFO", ["INFO", "DEBUG"]) == "DEBUG"


@pytest.mark.parametrize(("value", "number"), [("5", 5), ("0.5", 0.5), ("300", 300), (" 7 ", 7)])
def test_a_number_within_its_limits_is_taken(value: str, number: float) -> None:
    assert Env({"X": value}).number("X", 1, above=0, most=300) == number


@pytest.mark.parametrize("value", ["0", "-1", "300.1", "nan", "inf", "-inf", "ten", "1e999", "5s"])
def test_a_number_outside_its_limits_is_refused(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^X='.*' is not usable; allowed: a number greater than 0 and not"):
        Env({"X": value}).number("X", 1, above=0, most=300)


@pytest.mark.parametrize(("value", "number"), [("", 3), ("0", 0), (" 7 ", 7), ("10", 10)])
def test_a_whole_number_within_its_range_is_taken(value: str, number: int) -> None:
    assert Env({"X": value}).whole("X", 3, least=0, most=10) == number


@pytest.mark.parametrize("value", ["-1", "11", "1.0", "1e1", "ten", "nan"])
def test_a_whole_number_outside_its_range_is_refused(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^X='.*' is not usable; allowed: a whole number from 0 to 10$"):
        Env({"X": value}).whole("X", 3, least=0, most=10)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_number_without_limits_is_finite(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="allowed: a number"):
        Env({"X": value}).number("X", 1)


@pytest.mark.parametrize("value", ["redis", "http://here", "redis://", "redis://host:port", "redis://[", "redis:///"])
def test_a_url_that_cannot_be_used_is_refused(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^X=.*allowed: redis://… or unix://…"):
        Env({"X": value}).url("X", "", ["redis", "unix"])


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    assert Env({"SECRET_KEY_FILE": str(tmp_path / "key")}).secret("SECRET_KEY") == KEY


def test_a_secret_in_the_environment_wins_over_its_file() -> None:
    assert Env({"SECRET_KEY": "a", "SECRET_KEY_FILE": "/nowhere"}).secret("SECRET_KEY") == "a"


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"])
def test_a_secret_file_that_cannot_be_used_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ImproperlyConfigured, match=f"^SECRET_KEY_FILE='{path}' is not usable; allowed: a "):
        Env({"SECRET_KEY_FILE": str(path)}).secret("SECRET_KEY")


@pytest.mark.parametrize(
    "url", [f"redis://user:{PASSWORD}@host:1/0", f"redis://:{PASSWORD}@host", f"r://:{PASSWORD}@["]
)
def test_a_url_is_shown_without_its_password_and_still_names_the_place(url: str) -> None:
    shown = without_password(url)
    assert PASSWORD not in shown
    assert shown.endswith(url.rpartition("@")[2])


def test_a_url_without_a_password_is_shown_as_it_is() -> None:
    assert without_password("redis://host:1/0") == "redis://host:1/0"


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://user:{PASSWORD}@host/db",
        f"redis://user:{PASSWORD}@host:port/0",
        f"redis://user:{PASSWORD}@host:99999/0",
        f"redis://user:{PASSWORD}@[host",
        f"redis://user:{PASSWORD}/more@host/0",
        f"redis://user:more#{PASSWORD}@host/0",
        f"redis://user:more?{PASSWORD}@host/0",
        f"//user:{PASSWORD}@host",
        f"user:{PASSWORD}@host",
    ],
)
def test_no_message_shows_a_password(url: str) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        Env({"REDIS_URL": url}).url("REDIS_URL", "", ["redis"])
    assert PASSWORD not in str(caught.value)


# start-up

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


# the system checks


def fired() -> list[str | None]:
    return [message.id for message in check_settings(None)]


@pytest.fixture
def default_database(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    database: dict[str, Any] = django_settings.DATABASES["default"]
    monkeypatch.setitem(database, "ENGINE", "django.db.backends.sqlite3")
    monkeypatch.setitem(database, "OPTIONS", {"transaction_mode": "IMMEDIATE"})
    return database


def test_the_checks_are_silent_by_default() -> None:
    assert [message.id for message in run_checks() if (message.id or "").startswith("reconciler.")] == []
    assert "no issues" in check().stdout


def test_sqlite_without_immediate_transactions_is_an_error(default_database: dict[str, Any]) -> None:
    assert fired() == []
    default_database["OPTIONS"].clear()
    assert fired() == ["reconciler.E001"]


def test_tls_without_its_files_is_an_error(settings: Any, tmp_path: Path) -> None:
    settings.DOCKER_TLS = {name: tmp_path / f"{name}.pem" for name in ("ca", "cert", "key")}
    assert fired() == ["reconciler.E002"]
    for path in settings.DOCKER_TLS.values():
        path.touch()
    assert fired() == []


def test_tls_asked_for_without_files_stops_a_check(tmp_path: Path) -> None:
    done = check(DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(tmp_path), DOCKER_HOST="tcp://host:2376")
    assert (done.returncode, "reconciler.E002" in done.stderr, str(tmp_path / "ca.pem") in done.stderr) == (
        1,
        True,
        True,
    )


@pytest.mark.parametrize(("seconds", "ids"), [(300, []), (3_000, ["reconciler.E003"])])
def test_a_time_limit_that_is_shorter_than_a_pass_may_be_is_an_error(
    settings: Any, seconds: float, ids: list[str]
) -> None:
    """I15: whoever is killed in the middle of a pass notes nothing."""
    settings.LOCK_TTL = 3_600
    settings.ENGINE_TIMEOUT = seconds
    settings.CELERY_TASK_ANNOTATIONS = {"reconcile_host": {"time_limit": 2_700}}
    assert fired() == ids


@pytest.mark.parametrize("timeout", ["10", "300"])
def test_the_time_limit_of_a_pass_follows_from_how_late_a_host_may_answer(timeout: str) -> None:
    """I15."""
    done = check(ENGINE_TIMEOUT=timeout, INSPECT_SECONDS="60", LOCK_TTL="3600")
    assert (done.returncode, "no issues" in done.stdout) == (0, True)


def test_a_pass_has_a_time_limit_of_its_own(settings: Any) -> None:
    """I19."""
    assert app.tasks["reconcile_host"].time_limit == 600 + 10 * settings.ENGINE_TIMEOUT
    assert app.tasks["prune"].time_limit == 600


@pytest.mark.parametrize(("interval", "ids"), [(0.5, ["reconciler.W001"]), (1, [])])
def test_an_interval_under_a_second_is_a_warning(settings: Any, interval: float, ids: list[str]) -> None:
    settings.RECONCILE_INTERVAL = interval
    assert fired() == ids


@pytest.mark.parametrize(("ttl", "ids"), [(9, ["reconciler.W002"]), (10, ["reconciler.W002"]), (11, [])])
def test_a_lock_shorter_than_a_listing_is_a_warning(settings: Any, ttl: float, ids: list[str]) -> None:
    settings.LOCK_TTL, settings.ENGINE_TIMEOUT = ttl, 10
    assert fired() == ids


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
