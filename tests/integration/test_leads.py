"""Which labels have led to a row is noted by passes, and told as long as the row has that container."""

from typing import Any

import pytest
from django.utils import timezone

from reconciler.core.observation import Observation
from reconciler.core.report import Trigger
from reconciler.models import Container, Host, Stack, Workload, leads_of
from reconciler.placing import bind
from reconciler.reconcile import reconcile
from tests.builders import FakeEngine, cid, compose, container, workload

pytestmark = pytest.mark.django_db
SHOP_WEB = workload("shop", role="web")
ON_STACK = compose("tinyforge-shop", "web")


def look(host: Host, *containers: Observation, **daemon: Any) -> None:
    reconcile(host, FakeEngine(list(containers), **daemon), trigger=Trigger.MANUAL)


def told(row_id: str = "shop:web") -> dict[str, str]:
    return {lead.label: lead.value for lead in leads_of(Container.objects.get(id=row_id))}


@pytest.fixture
def stack(local: Host) -> Host:
    """The host, where a stack is deployed."""
    Stack.objects.create(id="t-1", compose_project_name="tinyforge-shop")
    Workload.objects.create(id="shop", kind="stack", ref_id="t-1")
    return local


def test_a_new_row_tells_the_labels_of_its_container(local: Host) -> None:
    look(local, container("web", SHOP_WEB))
    assert told() == SHOP_WEB


def test_two_ways_that_lead_to_one_row_are_told_apart(stack: Host) -> None:
    look(stack, container("web", ON_STACK))
    assert told() == ON_STACK
    look(stack, container("new", SHOP_WEB))
    assert told() == SHOP_WEB


def test_a_row_that_a_deployer_has_bound_tells_them_after_the_next_pass(local: Host) -> None:
    Container.objects.create(id="shop:web", workload_id="shop", role="web")
    bind("shop:web", cid("web"), "", "ci", timezone.now())
    assert told() == {}
    look(local, container("web", SHOP_WEB))
    assert told() == SHOP_WEB


def test_a_row_that_is_bound_anew_tells_nothing_of_the_labels_of_the_container_before(local: Host) -> None:
    look(local, container("web", SHOP_WEB))
    bind("shop:web", cid("new"), cid("web"), "ci", timezone.now())
    assert told() == {}


def test_a_row_whose_container_has_gone_tells_them_still(local: Host) -> None:
    look(local, container("web", SHOP_WEB))
    look(local)
    assert (Container.objects.get().state, told()) == ("missing", SHOP_WEB)


def test_of_a_stack_that_is_gone_the_name_is_not_made_up(stack: Host) -> None:
    look(stack, container("web", ON_STACK))
    Stack.objects.all().delete()
    assert told() == ON_STACK | {"com.docker.compose.project": ""}
