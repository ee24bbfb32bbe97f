"""What several test modules need: services for a session, and one rule for what a machine does not have."""

import contextlib
import gc
import os
import shutil
import tempfile
import warnings
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import NoReturn

import hypothesis
import pytest
import redis
from django.conf import settings
from django.test import TransactionTestCase
from django.utils import timezone

from dev.process import ServiceError
from dev.valkey import Valkey
from reconciler.engine.versions import known_versions
from reconciler.lock import connect
from reconciler.models import Condition, Host
from simulator import Server
from tests.emptying import empty_tables
from tests.environment import DIRECTORY, VALKEY_PORT

# An example may take as long as it likes: on a busy machine its time says nothing.
hypothesis.settings.register_profile(
    "untimed", hypothesis.settings(), deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")


def unavailable(what: str) -> NoReturn:
    """Skip a test because a real part cannot be had; in CI, where every part can be had, fail it."""
    if os.environ.get("CI"):
        pytest.fail(f"in CI this real part must be there: {what}")
    pytest.skip(what)


def pytest_collection_finish() -> None:
    """Let the garbage collector look no more at what was imported: the fixture `simulator` collects after each test."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a test that is marked real fail in CI if anything has skipped it."""
    return insist_on_real((yield))


def insist_on_real(report: pytest.TestReport) -> pytest.TestReport:
    """Return the report of a failure if a test that is marked real was skipped in CI, and any other as it is."""
    if report.skipped and "real" in report.keywords and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"in CI nothing real may be skipped: {report.longreprtext}"
    return report


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Keep SQLite's test database in a file, because threads and processes share it.

    On PostgreSQL each worker of pytest has a database of its own on one server, named after it.
    """
    default = settings.DATABASES["default"]
    if default["ENGINE"].endswith("sqlite3"):
        default["TEST"]["NAME"] = str(DIRECTORY / "test.sqlite3")


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords() -> None:
    """Hash passwords quickly, because none is secret here: the real way takes a quarter of a second for each user."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session", autouse=True)
def _quick_clients() -> None:
    """Let no client of a test look through all static files before its first request, as the server does at its start.

    A test that asks for one of them sets this back.
    """
    settings.WHITENOISE_USE_FINDERS = False


@pytest.fixture(scope="session", autouse=True)
def _quick_emptying() -> None:
    """Empty the database quickly after each test that commits."""
    TransactionTestCase._fixture_teardown = lambda case: empty_tables()  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def no_engine_known_yet() -> None:
    """Forget the API versions of Engines: a simulated one may get a port that another one had before."""
    known_versions.forget_all()


@pytest.fixture
def local(db: None) -> Host:
    """The host that every installation has; a flushed database has lost it."""
    return Host.objects.get_or_create(name="local")[0]


@pytest.fixture
def answering(local: Host) -> Host:
    """The host local, which has answered a moment ago, as the feed has told."""
    Host.objects.update(last_success_at=timezone.now(), condition_told=Condition.FRESH)
    return local


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory with a short path, as unix sockets need."""
    path = Path(tempfile.mkdtemp(prefix="tf-", dir=DIRECTORY))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Valkey]:
    try:
        server = Valkey(DIRECTORY / "valkey", port=VALKEY_PORT).start()
    except ServiceError as error:
        unavailable(str(error))
    yield server
    server.stop()


@pytest.fixture
def valkey(valkey_server: Valkey) -> Iterator[redis.Redis]:
    """A client of a real, empty Valkey: the one that REDIS_URL names, which tests find that do not ask for it, too."""
    client = connect(settings.REDIS_URL)
    client.flushall()
    yield client
    with contextlib.suppress(redis.RedisError):
        client.flushall()


@pytest.fixture
def simulator() -> Iterator[Server]:
    """A server for simulated Engines."""
    with Server() as server:
        yield server
    # a socket that was left open while the server closed must not be blamed on a later test
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
