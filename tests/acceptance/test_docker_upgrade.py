"""Docker 26.1 on the data of 20.10: its identity is another one, so what is lacking then waits for a second listing."""

import contextlib
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from dev.engine_kinds import KINDS, EngineKind, PrivateEngine
from reconciler.core.report import Report, Trigger
from reconciler.engine import Engine
from reconciler.models import Container, Host
from reconciler.reconcile import reconcile
from tests.acceptance.conftest import Containers, running
from tests.builders import workload
from tests.waiting import eventually

pytestmark = [pytest.mark.real, pytest.mark.django_db]


def kind_of(name: str) -> EngineKind:
    (kind,) = (kind for kind in KINDS if kind.name == name)
    return kind


def look(host: Host, engine: PrivateEngine) -> Report:
    report = reconcile(host, Engine(host="local", url=engine.url, timeout_seconds=10), trigger=Trigger.MANUAL)
    assert report.outcome == "applied", report.error
    return report


def states() -> dict[str, str]:
    return dict(Container.objects.values_list("id", "state"))


def test_what_is_lacking_after_an_upgrade_is_held_until_a_second_listing_agrees(
    short: Path, local: Host, settings: Settings
) -> None:
    """I14: nothing changes by the new identity alone, and one lacking container is held, though it is no mass."""
    settings.HOLD_SECONDS = 0.5
    with running(kind_of("docker-20.10").make(short)) as old:
        with contextlib.closing(Containers(old)) as containers:
            kept = containers.create(workload("shop", role="kept"))
            lost = containers.create(workload("shop", role="lost"))
        look(local, old)
        before = Host.objects.get(name="local").engine_id
    with running(kind_of("docker-26.1").make(short)) as new:
        with contextlib.closing(new.client()) as client:
            client.containers.get(str(lost.id)).remove()
        assert (look(local, new).held, states()) == (1, {"shop:kept": "created", "shop:lost": "created"})

        def is_missing() -> bool:
            look(local, new)
            return states()["shop:lost"] == "missing"

        eventually(is_missing, what="a second listing agrees")
        assert Host.objects.get(name="local").engine_id != before
        assert Container.objects.values_list("state", "container_id").get(id="shop:kept") == ("created", kept.id)
