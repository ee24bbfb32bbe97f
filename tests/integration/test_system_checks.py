"""The system checks: which settings do not go together."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.checks import run_checks

from reconciler.checks import check_settings
from tests.starting import check
from tinyforge.celery import app


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
