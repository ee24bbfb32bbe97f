"""/livez and /readyz: they name what is not well, and no more."""

from datetime import timedelta

import pytest
import redis
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from reconciler import readiness
from reconciler.models import Host

pytestmark = pytest.mark.django_db


@pytest.fixture
def ready(valkey: redis.Redis, local: Host) -> None:
    """Everything as it should be: Redis answers, and host local was looked at."""
    Host.objects.update(last_attempt_at=timezone.now())


def failing(client: Client) -> tuple[int, list[str]]:
    answer = client.get("/readyz")
    return answer.status_code, answer.json()["failing"]


def test_a_process_that_answers_is_alive_whatever_else_is_broken(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "ensure_connection", _refused)
    assert client.get("/livez").json() == {"status": "ok"}


def _refused(*_: object) -> None:
    raise OperationalError("connection refused by 10.0.0.5")


def test_it_is_ready_when_everything_is_there(client: Client, ready: None) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "failing": []})


def test_redis_is_named_when_it_does_not_answer(client: Client, ready: None, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert failing(client) == (503, ["redis"])


def test_the_database_is_named_and_nothing_of_it_is_told(
    client: Client, ready: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "MigrationExecutor", _refused)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "not ready", "failing": ["database"]})


def test_migrations_are_named_when_one_is_not_applied(client: Client, ready: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'web'")
    assert failing(client) == (503, ["migrations"])


def test_hosts_are_named_when_nobody_looks_at_one(client: Client, ready: None) -> None:
    Host.objects.update(last_attempt_at=timezone.now() - timedelta(seconds=91))
    assert failing(client) == (503, ["hosts"])


def test_a_host_that_was_never_looked_at_is_neglected(client: Client, ready: None) -> None:
    Host.objects.create(name="edge")
    assert failing(client) == (503, ["hosts"])


def test_a_host_that_fails_and_waits_for_its_next_try_is_looked_at(client: Client, ready: None) -> None:
    now = timezone.now()
    Host.objects.update(last_attempt_at=now - timedelta(seconds=200), retry_at=now + timedelta(seconds=60))
    assert failing(client) == (200, [])


@pytest.mark.parametrize("column", ["last_attempt_at", "retry_at"])
def test_a_clock_that_was_wrong_hides_no_host_that_nobody_looks_at(client: Client, ready: None, column: str) -> None:
    """I16."""
    now = timezone.now()
    Host.objects.update(**{"last_attempt_at": now - timedelta(seconds=200), column: now + timedelta(days=1)})
    assert failing(client) == (503, ["hosts"])


def test_a_host_that_is_off_is_not_missed(client: Client, ready: None) -> None:
    Host.objects.create(name="edge", enabled=False)
    assert failing(client) == (200, [])


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_probes_change_nothing(client: Client, path: str) -> None:
    assert client.post(path).status_code == 405
