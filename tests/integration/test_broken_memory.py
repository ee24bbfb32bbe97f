"""What a host remembers of its listings, when somebody has written there what no pass writes (I14, I15)."""

import logging
from typing import Any

import pytest
from django.db.models import JSONField, Value
from django.test import Client
from django.utils import timezone

from reconciler.core.observation import Observation
from reconciler.core.report import Outcome, Report, Trigger
from reconciler.models import Container, Host
from reconciler.reconcile import reconcile
from reconciler.status import statuses
from tests.builders import FakeEngine, container, workload

pytestmark = pytest.mark.django_db

NO_ZONE = {"since": "2026-01-01T00:00:00", "at": "2026-01-01T00:00:00", "engine_id": "e", "containers": [], "rows": []}
BROKEN: list[object] = [None, 5, "text", {}, [1], [{}], [[[]]], [{"since": "yesterday", "at": 3}], [NO_ZONE]]
either_column = pytest.mark.parametrize("column", ["held", "swept"])
each_value = pytest.mark.parametrize("value", BROKEN, ids=str)


def look(host: Host, count: int, *, dry_run: bool = False) -> Report:
    listed: list[Observation] = [container(f"c{n}", workload("shop", role=f"r{n}")) for n in range(count)]
    return reconcile(host, FakeEngine(listed), trigger=Trigger.TICK, dry_run=dry_run)


def spoil(column: str, value: object) -> None:
    Host.objects.update(**{column: Value(value, JSONField())})


@either_column
@each_value
def test_a_pass_succeeds_says_which_column_is_broken_and_mends_it(
    local: Host, column: str, value: object, caplog: pytest.LogCaptureFixture
) -> None:
    spoil(column, value)
    assert look(local, 3).outcome is Outcome.APPLIED
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.getMessage().startswith(f"host local: its column `{column}` holds what no pass writes")
    assert Host.objects.values_list(column, flat=True).get() == []


@either_column
def test_a_dry_run_succeeds(local: Host, column: str) -> None:
    spoil(column, {})
    assert look(local, 3, dry_run=True).outcome is Outcome.PLANNED


@either_column
def test_a_mass_is_held_all_the_same(local: Host, column: str) -> None:
    """I14."""
    look(local, 50)
    look(local, 0)
    spoil(column, "text")
    assert look(local, 0).held == 50
    assert not Container.objects.missing().exists()


@each_value
def test_the_status_counts_nothing_as_held(local: Host, value: object) -> None:
    spoil("held", value)
    (shown,) = statuses(timezone.now())
    assert shown.held_rows == 0


def test_the_page_of_the_host_shows_what_is_there(local: Host, admin_client: Client) -> None:
    spoil("held", [{"a": 1}])
    page: Any = admin_client.get("/admin/reconciler/host/local/change/")
    assert page.status_code == 200
