"""Passes over two hosts that share instances: whose row it is, and when it moves."""

from typing import Any

import pytest

from reconciler.core.observation import Observation, Reason
from reconciler.core.report import Report, Trigger
from reconciler.models import Container, Host, Instance, Transition, Workload
from reconciler.reconcile import reconcile
from tests.builders import FakeEngine, cid, container, instance, workload

pytestmark = pytest.mark.django_db

OLD, NEW = container("old", instance("i")), container("new", instance("i"))
OLD_STOPPED = container("old", instance("i"), state="stopped")


@pytest.fixture
def west(local: Host) -> Host:
    """A second host; an instance is known that can run on both."""
    Workload.objects.create(id="w", kind="project", ref_id="p")
    Instance.objects.create(id="i", project_id="p")
    return Host.objects.create(name="west")


def look(host: Host, *containers: Observation, **daemon: Any) -> Report:
    return reconcile(host, FakeEngine(list(containers), **daemon), trigger=Trigger.MANUAL)


def row() -> tuple[str, str, str]:
    """Return where the one row is, which container it has, and its state."""
    return Container.objects.values_list("host_id", "container_id", "state").get()


def skipped(report: Report) -> list[Reason]:
    return [skip.reason for skip in report.skips]


def test_a_container_that_runs_takes_the_row_from_the_host_where_it_has_stopped(local: Host, west: Host) -> None:
    """I20."""
    look(local, OLD)
    look(local, OLD_STOPPED)
    assert look(west, NEW).updated == 1
    assert row() == ("west", cid("new"), "running")


def test_a_row_that_has_moved_to_another_host_stays_there(local: Host, west: Host) -> None:
    """I10, I20: the stopped container on its first host takes it back neither at once nor when the new one stops."""
    look(local, OLD_STOPPED)
    look(west, NEW)
    assert (look(local, OLD_STOPPED).changes, look(west, NEW).changes) == ((), ())
    look(west, container("new", instance("i"), state="stopped"))
    assert skipped(look(local, OLD_STOPPED)) == [Reason.ROW_ON_OTHER_HOST]
    assert row() == ("west", cid("new"), "stopped")


def test_a_container_that_runs_takes_the_row_from_a_host_that_was_turned_off(local: Host, west: Host) -> None:
    """I20."""
    look(local, OLD)
    assert skipped(look(west, NEW)) == [Reason.ROW_ON_OTHER_HOST]
    Host.objects.filter(name="local").update(enabled=False)
    look(west, NEW)
    assert row() == ("west", cid("new"), "running")


def test_a_host_that_only_fails_keeps_its_rows(local: Host, west: Host) -> None:
    """I1, I20: nobody can say that its container does not run."""
    look(local, OLD)
    look(local, failure="does not answer")
    assert skipped(look(west, NEW)) == [Reason.ROW_ON_OTHER_HOST]
    assert row() == ("local", cid("old"), "running")


def test_the_history_of_a_row_says_that_it_moved_to_another_host(local: Host, west: Host) -> None:
    """I16, I20."""
    look(local, OLD_STOPPED)
    look(west, NEW)
    last = Transition.objects.of("i").last()
    assert last is not None
    assert (last.host_id, last.from_state, last.to_state) == ("west", "stopped", "running")
    assert "host local → west" in last.cause


@pytest.mark.parametrize("is_on", [True, False])
def test_a_placeholder_is_bound_on_the_host_that_the_deployer_named_and_nowhere_else(
    local: Host, west: Host, is_on: bool
) -> None:
    """I4, I20: an instance is moved from west to local, and its old container runs on until the new one does."""
    look(west, OLD)
    Container.objects.update(host="local", container_id="", state="")
    Host.objects.filter(name="local").update(enabled=is_on)
    assert skipped(look(west, OLD)) == [Reason.ROW_ON_OTHER_HOST]
    assert row() == ("local", "", "")
    look(local, NEW)
    look(west, OLD_STOPPED)
    assert row() == ("local", cid("new"), "running")


def test_a_label_on_one_host_makes_no_row_id_of_another(local: Host, west: Host) -> None:
    """I20."""
    look(local, container("liar", workload("shop", role="web@west")))
    report = look(west, container("web", workload("shop", role="web")))
    assert (report.created, report.skips) == (1, ())


def test_an_instance_label_takes_no_row_that_is_not_an_instances(local: Host, west: Host) -> None:
    """I20."""
    look(local, container("web", workload("shop", role="web"), state="stopped"))
    look(west, container("liar", workload("shop", kind="project", instance="shop:web")))
    assert Container.objects.values_list("host_id", "container_id", "state").get(id="shop:web") == (
        *("local", cid("web")),
        "stopped",
    )
