"""Passes over containers whose identity changes: their old rows have moved, and never go missing."""

from typing import Any

import pytest

from reconciler.core.observation import Observation
from reconciler.core.report import Report, Trigger
from reconciler.models import Container, Host, Stack, Transition, Workload
from reconciler.reconcile import reconcile
from reconciler.report_text import report_text
from tests.builders import FakeEngine, cid, compose, container, details, workload

pytestmark = pytest.mark.django_db

CLAIM = workload("w", role="web", instance="i1")
WEB = container("web", CLAIM, health="healthy")


def look(host: Host, *containers: Observation, **daemon: Any) -> Report:
    return reconcile(host, FakeEngine(list(containers), **daemon), trigger=Trigger.MANUAL)


def shown() -> dict[str, tuple[str, str]]:
    return {row.id: (row.state, row.container_id) for row in Container.objects.all()}


def register() -> None:
    """Let the workload of the container become known: from now on its row is the instance's."""
    Workload.objects.create(id="w", kind="project", ref_id="p")


@pytest.fixture
def moved(local: Host) -> Report:
    """The row w:web has moved to i1."""
    look(local, WEB, details={"web": details(restart_count=3)})
    register()
    return look(local, WEB)


def test_a_container_whose_workload_becomes_known_has_one_row_that_is_present(moved: Report) -> None:
    """I3."""
    assert shown() == {"i1": ("running", cid("web")), "w:web": ("moved", "")}
    assert list(Container.objects.present().values_list("id", flat=True)) == ["i1"]
    assert (moved.created, moved.moved, moved.missing) == (1, 1, 0)


def test_the_old_row_does_not_go_missing_at_the_next_redeploy(local: Host, moved: Report) -> None:
    """I3."""
    report = look(local, container("new", CLAIM))
    assert (report.missing, shown()) == (0, {"i1": ("running", cid("new")), "w:web": ("moved", "")})
    assert not Transition.objects.filter(to_state="missing").exists()


def test_a_second_pass_changes_nothing(local: Host, moved: Report) -> None:
    """I10."""
    assert look(local, WEB).changes == ()


def test_the_history_of_the_old_row_says_where_its_container_is(moved: Report) -> None:
    """I3, I16."""
    last = Transition.objects.of("w:web").last()
    assert last is not None
    assert (last.from_state, last.to_state, last.container_id) == ("running", "moved", cid("web"))
    assert last.cause == f"container {cid('web')[:12]} now stands for row i1 (was running)"


def test_a_row_that_moved_has_not_gone_down(moved: Report) -> None:
    assert not Transition.objects.of("w:web").downs().exists()


def test_what_was_known_of_the_container_goes_with_it(moved: Report) -> None:
    old = Container.objects.get(id="w:web")
    assert (old.health, old.restart_count, old.started_at, old.details_of) == ("", None, None, "")
    assert (old.image_ref, old.role) == ("app:1", "web")


def test_the_deployers_columns_stay(local: Host) -> None:
    """I9."""
    look(local, WEB)
    Container.objects.update(image_tag="v1", subdomain="shop.example", proxy_route_id="r", npm_proxy_id=3)
    register()
    look(local, WEB)
    old = Container.objects.get(id="w:web")
    assert (old.image_tag, old.subdomain, old.proxy_route_id, old.npm_proxy_id) == ("v1", "shop.example", "r", 3)


def test_a_row_that_moved_is_neither_bound_nor_present_nor_missing_nor_a_placeholder(moved: Report) -> None:
    """I4."""
    old = Container.objects.filter(id="w:web")
    assert old.moved().exists()
    for question in (old.bound(), old.present(), old.missing(), old.placeholders()):
        assert not question.exists()


def test_a_row_that_moved_is_not_unknown_when_its_host_fails(local: Host, moved: Report) -> None:
    look(local, failure="does not answer")
    states = Container.objects.with_effective_state().values_list("id", "effective_state")  # type: ignore[misc]
    assert dict(states) == {"i1": "unknown", "w:web": "moved"}


def test_a_row_takes_its_container_back_when_it_stands_for_it_again(local: Host, moved: Report) -> None:
    Workload.objects.all().delete()
    look(local, WEB)
    assert shown() == {"i1": ("moved", ""), "w:web": ("running", cid("web"))}


def test_a_deployer_can_bind_a_row_that_moved(local: Host, moved: Report) -> None:
    """It is bound as a placeholder is."""
    bound = Container.objects.filter(id="w:web", container_id="").update(container_id=cid("x"), state="created")
    look(local, WEB, container("x", workload("w", role="web", kind="stack")))
    assert (bound, shown()["w:web"]) == (1, ("running", cid("x")))


def test_a_row_that_moved_takes_a_new_container_of_its_own(local: Host, moved: Report) -> None:
    look(local, WEB, container("x", workload("w", role="web", kind="stack")))
    assert shown() == {"i1": ("running", cid("web")), "w:web": ("running", cid("x"))}


def test_a_renamed_container_without_a_service_has_one_row_that_is_present(local: Host) -> None:
    """I3: its name is its role, so that the new name is another row."""
    Stack.objects.create(id="s", compose_project_name="tinyforge-mail")
    Workload.objects.create(id="mail", kind="stack", ref_id="s")
    before = Observation(cid("c"), "smtp", "app:1", "running", compose("tinyforge-mail"), 0, 0)
    look(local, before)
    look(local, Observation(cid("c"), "smtp-old", "app:1", "running", compose("tinyforge-mail"), 0, 0))
    assert shown() == {"mail:smtp": ("moved", ""), "mail:smtp-old": ("running", cid("c"))}


def test_a_mass_of_rows_that_move_needs_no_second_listing(local: Host) -> None:
    """I14 is about containers that are not listed; these are."""
    containers = [container(f"c{n}", workload("w", role=f"r{n}", instance=f"i{n}")) for n in range(20)]
    look(local, *containers)
    register()
    report = look(local, *containers)
    assert (report.moved, report.held, Container.objects.present().count()) == (20, 0, 20)


def test_a_row_rebound_while_the_daemon_is_asked_does_not_move(local: Host) -> None:
    """I5."""
    look(local, WEB)
    register()
    report = look(local, WEB, meanwhile=lambda: Container.objects.update(container_id=cid("other")))
    assert (report.conflicts, shown()["w:web"]) == (1, ("running", cid("other")))


def test_a_report_counts_and_names_the_rows_that_moved(moved: Report) -> None:
    lines = report_text(moved).splitlines()
    assert ", 1 moved" in lines[0]
    assert [line.split()[:2] for line in lines[1:]] == [["CREATE", "i1"], ["MOVED", "w:web"]]
    assert moved.as_dict()["moved"] == 1
