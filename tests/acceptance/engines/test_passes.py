"""What becomes of containers on a real Engine is right in the table after each pass."""

from collections.abc import Callable

import pytest

from dev.engine_kinds import PrivateEngine
from reconciler.core.report import Report, Trigger
from reconciler.engine import Engine
from reconciler.models import Container, Host, Instance, Stack, Transition, Workload
from reconciler.reconcile import reconcile
from tests.acceptance.conftest import Containers
from tests.builders import compose, instance, site, workload
from tests.waiting import eventually

pytestmark = pytest.mark.django_db


@pytest.fixture
def look(real_engine: PrivateEngine, local: Host) -> "Look":
    return Look(real_engine, local)


class Look:
    """One pass, and the table after it."""

    def __init__(self, engine: PrivateEngine, host: Host) -> None:
        self._engine = Engine(host="local", url=engine.url, timeout_seconds=10)
        self._host = host

    def __call__(self) -> Report:
        report = reconcile(self._host, self._engine, trigger=Trigger.MANUAL)
        assert report.outcome == "applied", report.error
        return report

    def states(self) -> dict[str, str]:
        self()
        return dict(Container.objects.values_list("id", "state"))

    def until(self, row: str, state: str) -> None:
        """Make passes until a row has a state."""
        eventually(lambda: self.states().get(row) == state, what=f"{row} is {state}")


def test_each_stage_of_a_life_is_in_the_table_and_in_its_history(look: Look, containers: Containers) -> None:
    """An Engine may answer before its listing shows what it did: Docker 26.1 does so after a stop, now and then."""
    made = containers.create(workload("shop", role="web"))
    look.until("shop:web", "created")
    acts: list[tuple[Callable[[], object], str]] = [(made.start, "running"), (made.pause, "paused")]
    acts += [(made.unpause, "running"), (made.stop, "stopped"), (made.start, "running"), (made.kill, "stopped")]
    acts += [(made.remove, "missing")]
    for act, state in acts:
        act()
        look.until("shop:web", state)
    told = Transition.objects.of("shop:web").values_list("to_state", flat=True)
    assert list(told) == ["created", *(state for _, state in acts)]


def test_each_label_path_finds_its_row(look: Look, containers: Containers) -> None:
    Workload.objects.create(id="shop", kind="project", ref_id="p1")
    Workload.objects.create(id="blog", kind="site", ref_id="s1")
    Workload.objects.create(id="mail", kind="stack", ref_id="st1")
    Instance.objects.create(id="i1", project_id="p1", port=8080, image_tag="v2")
    Stack.objects.create(id="st1", compose_project_name="tinyforge-mail")
    containers.run(workload("shop", role="web"))
    containers.run(instance("i1", stage="production"))
    containers.run(site("s1"))
    containers.run(compose("tinyforge-mail", "smtp", number=1))
    containers.run(compose("tinyforge-mail", "smtp", number=2))
    containers.run(compose("tinyforge-mail", "smtp", one_off=True))
    containers.run({"nobody": "ours"})
    assert set(look.states()) == {"shop:web", "i1", "blog:site", "mail:smtp", "mail:smtp:2"}
    assert Container.objects.values_list("role", "port", "image_tag").get(id="i1") == ("production", 8080, "v2")


def test_a_redeploy_shows_the_new_replica(look: Look, containers: Containers) -> None:
    old = containers.run(workload("shop", role="web"))
    look()
    new = containers.run(workload("shop", role="web"), name="the-new-one")
    old.stop()
    report = look()
    assert Container.objects.get(id="shop:web").container_id == new.id
    assert [skip.reason for skip in report.skips] == ["superseded"]


def test_an_unchanged_engine_changes_nothing(look: Look, containers: Containers) -> None:
    """I10."""
    containers.run(workload("shop", role="web"))
    look()
    assert look().changes == ()


def test_a_compose_container_without_a_service_label_moves_to_another_row_when_it_is_renamed(
    look: Look, containers: Containers
) -> None:
    """I3: its name is all that tells it, so one container has one row."""
    Workload.objects.create(id="mail", kind="stack", ref_id="st1")
    Stack.objects.create(id="st1", compose_project_name="tinyforge-mail")
    made = containers.run(compose("tinyforge-mail"), name="smtp")
    look.until("mail:smtp", "running")
    made.rename("post")
    look.until("mail:post", "running")
    assert look.states() == {"mail:post": "running", "mail:smtp": "moved"}
