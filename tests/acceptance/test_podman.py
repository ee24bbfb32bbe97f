"""What is particular about pods and ports, on a real Podman of each kind."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from dev.engine_kinds import KINDS, EngineKind, PrivateEngine
from reconciler.core.report import Report, Trigger
from reconciler.engine import Engine
from reconciler.models import Container, Host
from reconciler.reconcile import reconcile
from tests.acceptance.conftest import running
from tests.builders import workload
from tests.environment import DIRECTORY
from tests.waiting import eventually

pytestmark = [pytest.mark.real, pytest.mark.django_db]
PODMANS = [kind for kind in KINDS if not kind.has_identity]
PODMANS_OWN = "/v4.0.0/libpod"
WEB = workload("shop", role="web")


@pytest.fixture(scope="module", params=PODMANS, ids=lambda kind: kind.name)
def podman(request: pytest.FixtureRequest) -> Iterator[PrivateEngine]:
    kind = request.param
    assert isinstance(kind, EngineKind)
    with running(kind.make(DIRECTORY / f"pods-{kind.name}")) as engine:
        yield engine


def look(host: Host, engine: PrivateEngine) -> Report:
    report = reconcile(host, Engine(host="local", url=engine.url, timeout_seconds=10), trigger=Trigger.MANUAL)
    assert report.outcome == "applied", report.error
    return report


def ask(engine: PrivateEngine, path: str, **body: Any) -> None:
    """Ask for something that Docker does not have."""
    client = engine.client()
    try:
        client.api.post(f"{client.api.base_url}{PODMANS_OWN}{path}", json=body).raise_for_status()
    finally:
        client.close()


def test_the_labels_of_a_pod_lead_its_infra_container_to_their_row(local: Host, podman: PrivateEngine) -> None:
    pod = f"p{uuid.uuid4().hex[:8]}"
    infra = {"infra_image": "tinyforge-busybox", "infra_command": ["sleep", "3600"]}
    alone = {"netns": {"nsmode": "none"}, "shared_namespaces": ["ipc"]}
    ask(podman, "/pods/create", name=pod, labels=WEB, **infra, **alone)
    ask(podman, f"/pods/{pod}/start")
    client = podman.client()
    try:

        def is_running() -> bool:
            look(local, podman)
            return Container.objects.filter(id="shop:web", state="running").exists()

        eventually(is_running, what="the row of the labels runs")
        (found,) = client.containers.list(filters={"label": "tinyforge.workload.id=shop"})
        assert found.id == Container.objects.get(id="shop:web").container_id
        assert str(found.name).endswith("-infra")
    finally:
        client.api.delete(f"{client.api.base_url}{PODMANS_OWN}/pods/{pod}?force=true&timeout=0").raise_for_status()
        client.close()


def test_a_port_that_is_only_exposed_is_not_known(local: Host, podman: PrivateEngine) -> None:
    command = {"image": "tinyforge-busybox", "command": ["sleep", "3600"]}
    ask(podman, "/containers/create", name="exposing", labels=WEB, expose={"8080": "tcp"}, **command)
    client = podman.client()
    try:
        made = client.containers.get("exposing")
        assert "8080/tcp" in made.attrs["Config"]["ExposedPorts"]
        look(local, podman)
        assert Container.objects.values_list("container_id", "port").get(id="shop:web") == (made.id, 0)
        made.remove(force=True)
    finally:
        client.close()
