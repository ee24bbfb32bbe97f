"""A database of the first release, with rows in every table, becomes one of today: nothing is lost, and passes work."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps as todays_apps
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Model

from reconciler.core.report import Trigger
from reconciler.models import Container, Host, Transition
from reconciler.reconcile import reconcile
from tests.builders import FakeEngine, cid, container, instance, workload

FIRST = ("reconciler", "0001_initial")
SEEN = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
ROWS: dict[str, list[dict[str, Any]]] = {
    "Host": [
        {"name": "local", "fence_minted": 7, "fence_applied": 6, "last_attempt_at": SEEN, "last_success_at": SEEN},
        {"name": "west", "url": "tcp://west:2375", "enabled": False, "last_error": "timed out", "last_error_at": SEEN},
    ],
    "Workload": [
        {"id": "shop", "kind": "project", "ref_id": "p1", "name": "Shop"},
        {"id": "mail", "kind": "stack", "ref_id": "st1"},
    ],
    "Instance": [{"id": "i1", "project_id": "p1", "stage": "production", "image_tag": "v2", "port": 8080}],
    "Stack": [{"id": "st1", "name": "Mail", "compose_project_name": "tinyforge-mail"}],
    "Container": [
        {"id": "shop:web", "container_id": cid("web"), "state": "running", "role": "web", "last_seen_at": SEEN},
        {"id": "shop:db", "container_id": cid("db"), "state": "stopped", "role": "db", "port": 5432},
        {"id": "shop:old", "container_id": cid("old"), "state": "missing", "role": "old"},
        {"id": "i1", "state": "", "workload_kind": "project", "subdomain": "shop", "npm_proxy_id": 4},
        {"id": "shop:web@west", "container_id": cid("w"), "state": "running", "role": "web", "host_id": "west"},
        {"id": "gone:web", "container_id": cid("gone"), "state": "failed", "role": "web", "workload_id": "gone"},
    ],
}


@pytest.fixture
def empty_database(transactional_db: None, tmp_path: Path) -> Iterator[None]:
    """Let the connection lead to a database of its own, without any table, and back again."""
    given, is_file = connection.settings_dict["NAME"], connection.vendor == "sqlite"
    own = str(tmp_path / "first.sqlite3") if is_file else f"{given}_first"
    administer(f'CREATE DATABASE "{own}"')
    connect_to(own)
    yield
    connect_to(given)
    administer(f'DROP DATABASE "{own}"')


def administer(statement: str) -> None:
    """Execute a statement on the server; SQLite has none."""
    if connection.vendor != "sqlite":
        with connection._nodb_cursor() as cursor:
            cursor.execute(statement)


def connect_to(name: str) -> None:
    connection.close()
    connection.settings_dict["NAME"] = name


def contents(models: dict[str, type[Model]], columns: dict[str, list[str]]) -> dict[str, list[dict[str, Any]]]:
    return {name: list(models[name]._base_manager.order_by("pk").values(*columns[name])) for name in ROWS}


@pytest.fixture
def migrated(empty_database: None) -> dict[str, Any]:
    """Fill the first schema, migrate to today's; return what every table held before and holds after."""
    state = MigrationExecutor(connection).migrate([FIRST])
    first = {model.__name__: model for model in state.apps.get_models() if model._meta.app_label == "reconciler"}
    assert first.keys() == ROWS.keys()
    for name, rows in ROWS.items():
        for row in rows:
            given = {"workload_id": "shop"} | row if name == "Container" else row
            first[name]._base_manager.update_or_create(pk=row[first[name]._meta.pk.name], defaults=given)
    columns = {name: [field.attname for field in model._meta.concrete_fields] for name, model in first.items()}
    before = contents(first, columns)
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())
    today = {name: todays_apps.get_model("reconciler", name) for name in ROWS}
    return {"before": before, "after": contents(today, columns)}


def test_every_row_keeps_all_that_the_first_release_knew_of_it(migrated: dict[str, Any]) -> None:
    assert migrated["after"] == migrated["before"]


def test_what_the_first_release_did_not_know_is_unknown(migrated: dict[str, Any]) -> None:
    row, host = Container.objects.get(id="shop:web"), Host.objects.get(name="local")
    assert (row.health, row.exit_code, row.started_at, row.restart_count) == ("", None, None, None)
    assert (host.failures, host.retry_at, host.watching_since, host.engine_id) == (0, None, None, None)
    assert not Transition.objects.exists()


def test_a_pass_goes_on_where_the_first_release_left_off(migrated: dict[str, Any]) -> None:
    Container.objects.filter(id="i1").update(container_id=cid("i1"), state="running")
    listed = [
        container("web", workload("shop", role="web")),
        container("db", workload("shop", role="db")),
        container("i1", instance("i1", stage="production")),
    ]
    report = reconcile(Host.objects.get(name="local"), FakeEngine(listed), trigger=Trigger.TICK)
    assert (report.outcome, report.skips) == ("applied", ())
    assert dict(Container.objects.values_list("id", "state")) == {
        "shop:web": "running",
        "shop:db": "running",
        "shop:old": "missing",
        "i1": "running",
        "shop:web@west": "running",
        "gone:web": "missing",
    }
    assert Host.objects.get(name="local").fence_applied == 8
    steps = Transition.objects.steps().values_list("row_id", "from_state", "to_state").order_by("row_id")
    assert list(steps) == [("gone:web", "failed", "missing"), ("shop:db", "stopped", "running")]


def test_the_local_host_is_there_from_the_first_migration_on(empty_database: None) -> None:
    state = MigrationExecutor(connection).migrate([FIRST])
    assert list(state.apps.get_model("reconciler", "Host").objects.values_list("name", flat=True)) == ["local"]
