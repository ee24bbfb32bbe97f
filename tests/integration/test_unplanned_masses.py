"""PostgreSQL plans by what it has counted, and right after a mass it has not counted yet: all must be quick then, too.

For each statement it is asked how many rows it looked at: a plan that compares all with all looks at their square.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection, transaction

from reconciler.catalogue import catalogue
from reconciler.core.dispatch import LookupKeys
from reconciler.core.report import Trigger
from reconciler.engine import Engine as Client
from reconciler.models import Container, Host, Instance, Stack, Workload
from reconciler.reconcile import reconcile
from simulator import Engine, Server, populate
from tests.channels import channel, fire_all, look, resolve
from tests.counted import MODELS, count_all, forget_what_was_counted

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif("postgresql" not in connection.vendor, reason="SQLite plans without counting"),
]

MANY = 2_500
"""A few hundred are read through as quickly as they are looked up, and PostgreSQL may do so."""
MOST_LOOKED_AT = 20 * MANY
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


@pytest.fixture(params=["never", "when emptied"])
def counted(request: pytest.FixtureRequest, local: Host) -> None:
    """Let PostgreSQL have counted the tables never, or when all their rows had been deleted."""
    forget_what_was_counted()
    if request.param == "when emptied":
        channel("former")
        fire_all([f"former:{number}" for number in range(MANY)], at=NOW)
        workloads = [Workload(id=f"former-{number}", kind="project", ref_id=str(number)) for number in range(MANY)]
        Workload.objects.bulk_create(workloads)
        Container.objects.bulk_create(
            [Container(id=each.id, host=local, workload_id=each.id, state="running") for each in workloads]
        )
        for model in reversed(MODELS):
            model._default_manager.all().delete()
        count_all()


def looked_at(plan: dict[str, Any]) -> int:
    """Return how many rows all steps of a plan looked at when it was carried out."""
    removed = sum(plan.get(f"Rows Removed by {each}", 0) for each in ("Filter", "Join Filter", "Index Recheck"))
    own = (plan["Actual Rows"] + removed) * plan["Actual Loops"]
    return int(own + sum(looked_at(each) for each in plan.get("Plans", [])))


@contextmanager
def nothing_compares_all_with_all() -> Iterator[None]:
    """Fail if a statement in the block looks at more rows than it may."""
    costly: dict[str, int] = {}

    def explain(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith(("SELECT", "UPDATE")):
            with transaction.atomic(), connection.connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params)
                rows = looked_at(cursor.fetchone()[0][0]["Plan"])
                transaction.set_rollback(True)
            if rows > MOST_LOOKED_AT:
                costly[sql] = rows
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        yield
    assert costly == {}


def test_the_catalogue_of_many_new_workloads_is_read_quickly() -> None:
    forget_what_was_counted()
    Workload.objects.create(id="first", kind="project", ref_id="first")
    Instance.objects.create(id="first", project_id="first")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE reconciler_workload, reconciler_instance")
    names = [f"shop-{number}" for number in range(MANY)]
    Workload.objects.bulk_create(Workload(id=name, kind="project", ref_id=name) for name in names)
    Instance.objects.bulk_create(Instance(id=name, project_id=name) for name in names)
    nobody: frozenset[str] = frozenset()
    needs = LookupKeys(workload_ids=nobody, instance_ids=frozenset(names), site_ids=nobody, compose_projects=nobody)
    with nothing_compares_all_with_all():
        told = catalogue(needs)
    assert told.workloads == {("project", name): name for name in names}


@pytest.mark.usefixtures("counted")
def test_a_first_pass_over_many_containers_is_applied_quickly(simulator: Server, local: Host) -> None:
    engine = Engine()
    rows = populate(engine, MANY)
    Workload.objects.bulk_create(Workload(**row) for row in rows["workloads"])
    Instance.objects.bulk_create(Instance(**row) for row in rows["instances"])
    Stack.objects.bulk_create(Stack(**row) for row in rows["stacks"])
    client = Client(host="local", url=simulator.serve(engine), timeout_seconds=10)
    with nothing_compares_all_with_all():
        report = reconcile(local, client, trigger=Trigger.TICK)
    assert report.created == MANY


@pytest.mark.usefixtures("counted")
def test_a_mass_of_deaths_and_of_recoveries_is_told_quickly() -> None:
    channel()
    incidents = fire_all([f"shop:{number}" for number in range(MANY)], at=NOW)
    with nothing_compares_all_with_all():
        look(NOW + timedelta(seconds=30))
        resolve(*incidents, at=NOW + timedelta(minutes=10))
        look(NOW + timedelta(minutes=11))
    assert [sent.subject for sent in mail.outbox] == [f"✗ {MANY:,} alerts · berlin", f"✓ {MANY:,} alerts over · berlin"]
