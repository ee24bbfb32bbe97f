"""What `make up` shows at first: samples in all conditions that a person may try the page with, and what to try."""

from collections.abc import Iterator

import docker
import pytest
from django.utils import timezone

from dev import sample_containers, sample_rows
from dev.engine import DockerEngine
from dev.engine_choice import EngineChoice
from dev.index import Processes
from dev.up import _to_try
from reconciler.models import Container, Deployment, Transition, Trouble
from reconciler.models.trouble import WORST_FIRST
from tests.waiting import eventually


@pytest.fixture
def samples(docker_engine: DockerEngine) -> Iterator[docker.DockerClient]:
    """The sample containers, on a real Engine."""
    client = docker_engine.client()
    sample_containers.start(client)
    yield client
    sample_containers.remove(client)
    client.close()


def troubles() -> dict[str, Trouble | None]:
    """Return the worst trouble of each row."""
    rows = Container.objects.with_severity(timezone.now()).values_list("id", "severity")  # type: ignore[misc]
    return {row_id: WORST_FIRST[place] if place < len(WORST_FIRST) else None for row_id, place in rows}


@pytest.mark.slow
def test_the_samples_are_in_all_conditions_and_make_a_history_of_their_own(
    processes: Processes, docker_engine: DockerEngine, samples: docker.DockerClient
) -> None:
    sample_rows.create()
    processes.worker(DOCKER_HOST=docker_engine.url)
    processes.watcher(DOCKER_HOST=docker_engine.url)
    processes.beat("5")
    wanted = {
        "sample-shop:web": None,
        "sample-shop:worker": Trouble.LOOPING,
        "sample-shop:next": None,
        "sample-site:site": Trouble.UNHEALTHY,
        "sample-gone:web": Trouble.ORPHAN,
    }
    eventually(lambda: wanted.items() <= troubles().items(), seconds=90, what="samples in all conditions")
    states = dict(Container.objects.filter(workload="sample-stack").values_list("id", "state"))
    assert sorted(states.values()) == ["running", "running", "stopped"], "two replicas, and a job that is done"
    assert Deployment.objects.under_way(timezone.now()).filter(row_id="sample-shop:next").exists()
    assert Transition.objects.filter(row_id="sample-shop:worker", restarts__gt=0).exists()


def test_the_greeting_names_a_sample_to_kill() -> None:
    names = [sample.name for sample in sample_containers.samples()]
    told = _to_try(EngineChoice(url="unix:///nowhere", private=True))
    assert "docker kill tinyforge-sample-shop-web" in told
    assert "tinyforge-sample-shop-web" in names
