"""A pass costs the same for ten containers and for thousands, in queries and in requests (I11)."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import groupby
from math import ceil
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone

from reconciler.core.last_inspect import DetailsState
from reconciler.core.report import Report, Trigger
from reconciler.engine import Engine as Client
from reconciler.models import Container, Host, Instance, Stack, Workload
from reconciler.reconcile import reconcile
from simulator import Engine, Server, populate
from simulator.api import INSPECT
from tests.holds import age_holds

# a count of lines would cost as much as the tests, and others reach the same lines
pytestmark = [pytest.mark.django_db, pytest.mark.no_cover]

FEW, MANY = 10, 2_000
"""More than the values that one statement of SQLite takes."""
TABLES = {"workloads": Workload, "instances": Instance, "stacks": Stack}
STEADY = "steady"
DUE = "steady, sightings due"
OWED = "steady, details owed"
COLD = "cold"
GONE = "everything gone at once"
SWEPT = "everything gone, as a second listing agrees"
CHANGED = "everything changed"
SITUATIONS = [COLD, STEADY, DUE, OWED, CHANGED, GONE, SWEPT]


@contextmanager
def recorded() -> Iterator[list[str]]:
    """Yield the statements that the block sends, without their values."""
    statements: list[str] = []

    def record(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(record):
        yield statements


def statement_of(sql: str) -> object:
    """Return a name that the chunks of one INSERT share, and that no other statement has."""
    return re.split(" VALUES | SELECT ", sql)[0] if sql.startswith("INSERT") else object()


def count(statements: list[str]) -> int:
    """Count statements; on SQLite, which limits an INSERT's parameters, its chunks count as one."""
    if connection.vendor == "postgresql":
        return len(statements)
    return sum(1 for _ in groupby(map(statement_of, statements)))


class Fleet:
    """A host with some number of containers, and the tables that belong to them."""

    def __init__(self, simulator: Server, size: int) -> None:
        self.engine = Engine()
        self.host = Host.objects.create(name=f"fleet-{size}")
        self.client = Client(host=self.host.name, url=simulator.serve(self.engine), timeout_seconds=10)
        for table, rows in populate(self.engine, size, seed=size).items():
            TABLES[table]._default_manager.bulk_create([TABLES[table](**row) for row in rows])

    def look(self) -> Report:
        report = reconcile(self.host, self.client, trigger=Trigger.MANUAL)
        assert report.outcome == "applied"
        return report

    def get_into(self, situation: str) -> None:
        """Make passes and changes so that the next pass finds this situation."""
        if situation != COLD:
            self.look()
            # a large host is inspected in many passes
            details_state = DetailsState.OWED if situation == OWED else DetailsState.TOLD
            Container.objects.update(details_of=F("container_id"), details_state=details_state)
        if situation == OWED:
            Container.objects.update(restart_count=None)
        if situation == DUE:
            Host.objects.update(sightings_at=timezone.now() - timedelta(hours=1))
        if situation == CHANGED:
            for container_id in list(self.engine.containers):
                self.engine.amend(container_id, state="paused")
        if situation in (GONE, SWEPT):
            self.engine.clear()
        if situation == SWEPT:
            self.look()
            age_holds(60)
        if situation not in (COLD, DUE):
            # however long all this took
            Host.objects.update(sightings_at=timezone.now())


@pytest.mark.parametrize("situation", SITUATIONS)
def test_queries_do_not_grow_with_the_number_of_containers(simulator: Server, situation: str) -> None:
    """I11."""
    counts = []
    for size in (FEW, MANY):
        fleet = Fleet(simulator, size)
        fleet.get_into(situation)
        with recorded() as statements:
            fleet.look()
        masses = [sql for sql in statements if sql.startswith("ANALYZE")]
        assert len(masses) <= 1, "a mass of new rows is counted once"
        counts.append(count(statements) - len(masses))
    assert counts[0] == counts[1]


@pytest.mark.parametrize(("situation", "most"), [(COLD, 21), (STEADY, 4)])
def test_queries_are_few(simulator: Server, situation: str, most: int) -> None:
    """I11."""
    fleet = Fleet(simulator, FEW)
    fleet.get_into(situation)
    with recorded() as statements:
        fleet.look()
    assert len(statements) <= most


@pytest.mark.parametrize("situation", SITUATIONS)
def test_chunks_are_as_large_as_the_backend_allows(simulator: Server, situation: str) -> None:
    """I11: a limit of parameters does not lead to a query for each container."""
    fleet = Fleet(simulator, MANY)
    fleet.get_into(situation)
    with recorded() as statements:
        fleet.look()
    inserts = [(sql.partition(" VALUES ")[0], sql.partition("ON CONFLICT")[2]) for sql in statements]
    for (insert, _), chunks in Counter(each for each in inserts if each[0].startswith("INSERT")).items():
        columns = insert.count(",") + 1
        rows_at_once = (connection.features.max_query_params or MANY * columns) // columns
        assert chunks <= ceil(MANY / rows_at_once)


def test_every_container_of_a_large_host_has_its_row(simulator: Server) -> None:
    fleet = Fleet(simulator, MANY)
    report = fleet.look()
    assert (report.listed, report.created, report.skips) == (MANY, MANY, ())
    assert Container.objects.on(fleet.host).count() == MANY


def test_a_steady_pass_asks_the_daemon_once(simulator: Server) -> None:
    fleet = Fleet(simulator, FEW)
    fleet.look()
    fleet.engine.reset_requests()
    fleet.look()
    assert fleet.engine.requests == [("GET", "/containers/json")]


def test_the_first_pass_also_asks_for_the_version_and_who_the_engine_is(simulator: Server) -> None:
    fleet = Fleet(simulator, FEW)
    fleet.look()
    asked = [path for _, path in fleet.engine.requests if not INSPECT.fullmatch(path)]
    assert asked == ["/version", "/containers/json", "/info"]


def test_inspects_come_after_the_listing_and_are_few(simulator: Server) -> None:
    fleet = Fleet(simulator, MANY)
    fleet.look()
    paths = [path for _, path in fleet.engine.requests]
    assert all(map(INSPECT.fullmatch, paths[3:]))
    assert len(paths[3:]) <= 100
