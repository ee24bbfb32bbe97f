"""What is particular about Podman, on a simulated one: it lists neither health nor ports that are only exposed."""

import time
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

from reconciler.core.report import Report, Trigger
from reconciler.engine import Engine as Client
from reconciler.models import Container, Host, Stack, Transition, Workload
from reconciler.reconcile import reconcile
from simulator import Engine, Server
from tests.builders import compose, workload

pytestmark = pytest.mark.django_db

WEB = workload("shop", role="web")


@pytest.fixture
def podman() -> Engine:
    return Engine(podman=True)


@pytest.fixture
def look(local: Host, podman: Engine, simulator: Server) -> "Look":
    return Look(local, simulator.serve(podman))


class Look:
    """One pass over Podman."""

    def __init__(self, host: Host, url: str) -> None:
        self._host = host
        self._engine = Client(host="local", url=url, timeout_seconds=10)

    def __call__(self) -> Report:
        report = reconcile(self._host, self._engine, trigger=Trigger.TICK)
        assert report.outcome == "applied", report.error
        return report

    def health(self) -> str:
        self()
        return Container.objects.get(id="shop:web").health


def test_health_is_what_an_inspect_says_at_every_look(look: Look, podman: Engine) -> None:
    """I16: from its start to its end, and each change is in the history."""
    made = podman.create("web", labels=WEB, health="starting")
    lives = [look.health()]
    podman.start(made)
    lives.append(look.health())
    for health in ("healthy", "unhealthy"):
        podman.set_health(made, health)
        lives.append(look.health())
    podman.die(made)
    lives.append(look.health())
    assert lives == ["", "starting", "healthy", "unhealthy", ""]
    told = Transition.objects.of("shop:web").values_list("from_health", "to_health")
    assert list(told) == [
        ("", ""),
        ("", "starting"),
        ("starting", "healthy"),
        ("healthy", "unhealthy"),
        ("unhealthy", ""),
    ]


def test_a_container_without_a_health_check_is_inspected_once(look: Look, podman: Engine) -> None:
    """I11."""
    podman.add("web", labels=WEB, started_at=time.time() - 3600)
    assert [look().inspected for _ in range(3)] == [1, 0, 0]


def test_a_health_that_stays_is_no_change(look: Look, podman: Engine) -> None:
    """I10."""
    podman.add("web", labels=WEB, started_at=time.time() - 3600, health="healthy")
    look()
    before = Container.objects.values().get()
    assert look().changes == ()
    assert Container.objects.values().get() == before


def test_rows_from_before_health_was_known_learn_it(look: Look, podman: Engine, local: Host) -> None:
    podman.add("web", labels=WEB, started_at=time.time() - 3600, health="healthy")
    look()
    Container.objects.update(health="")
    assert look.health() == ""
    migration = import_module("reconciler.migrations.0021_young_details")
    migration.ask_podman_for_health(apps, connection.schema_editor())
    assert look.health() == "healthy"


def test_only_published_ports_are_known(look: Look, podman: Engine) -> None:
    podman.add("web", labels=WEB, ports=[(80, "tcp"), (8080, "tcp", 18080)])
    look()
    assert Container.objects.get(id="shop:web").port == 8080


def test_a_compose_container_without_a_service_label_moves_to_another_row_when_it_is_renamed(
    look: Look, podman: Engine
) -> None:
    """I3: its name is all that tells it, so one container has one row, and the old row says where it is now."""
    Workload.objects.create(id="mail", kind="stack", ref_id="st1")
    Stack.objects.create(id="st1", compose_project_name="tinyforge-mail")
    made = podman.add("smtp", labels=compose("tinyforge-mail"))
    look()
    podman.rename(made, "post")
    look()
    rows = Container.objects.order_by("id").values_list("id", "state", "container_id")
    assert list(rows) == [("mail:post", "running", made), ("mail:smtp", "moved", "")]


def test_a_container_that_is_stopping_is_up_and_has_no_exit_code(look: Look, podman: Engine) -> None:
    made = podman.add("web", labels=WEB)
    podman.amend(made, state="stopping")
    look()
    assert Container.objects.values_list("state", "exit_code").get(id="shop:web") == ("stopping", None)
