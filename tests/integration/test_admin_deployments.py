"""The admin shows what is being deployed, and lets those end a deploy who may."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings

from reconciler.api import begin_deployment
from reconciler.models import Container, Deployment, Host, Transition
from tests.builders import cid

pytestmark = pytest.mark.django_db

LIST = reverse("admin:reconciler_deployment_changelist")
CONTAINERS = reverse("admin:reconciler_container_changelist")


@pytest.fixture(autouse=True)
def _alone(settings: Settings, tmp_path: Path) -> None:
    """Do not depend on what collectstatic has left."""
    settings.STATIC_ROOT = tmp_path


@pytest.fixture
def lease(local: Host) -> Deployment:
    """A row that is being deployed, beside one that is not."""
    Host.objects.update(last_success_at=timezone.now())
    for row_id in ("blog:web", "shop:web"):
        Container.objects.create(id=row_id, workload_id=row_id.split(":")[0], container_id=cid(row_id), state="running")
    return begin_deployment(row="shop:web", by="ci")


def text(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return str(answer.content.decode())


def end(client: Client, lease: Deployment) -> str:
    data = {"action": "end_now", "_selected_action": [lease.pk]}
    return str(client.post(LIST, data, follow=True).content.decode())


def test_what_is_being_deployed_is_listed(admin_client: Client, lease: Deployment) -> None:
    shown = text(admin_client, LIST)
    assert ["row shop:web" in shown, " deploying</span>" in shown, ">ci<" in shown] == [True, True, True]


def test_a_deploy_that_has_ended_by_itself_is_over(admin_client: Client, lease: Deployment) -> None:
    ago = timezone.now() - timedelta(hours=1)
    Deployment.objects.update(began_at=ago, ends_at=ago + timedelta(minutes=10))
    shown = text(admin_client, LIST)
    assert (" deploying</span>" in shown, " deployed</span>" in shown) == (False, True)


def test_a_deploy_that_a_wrong_clock_has_begun_later_is_not_under_way(admin_client: Client, lease: Deployment) -> None:
    """As everybody else says who is asked."""
    later = timezone.now() + timedelta(minutes=5)
    Deployment.objects.update(began_at=later, ends_at=later + timedelta(minutes=10))
    assert " deploying</span>" not in text(admin_client, LIST)


def test_a_row_that_is_being_deployed_is_marked_in_the_list_of_containers(
    admin_client: Client, lease: Deployment
) -> None:
    assert text(admin_client, CONTAINERS).count(">deploying<") == 1


def test_a_forgotten_deploy_can_be_ended(admin_client: Client, lease: Deployment) -> None:
    assert "Ended: row shop:web" in end(admin_client, lease)
    assert not Container.objects.deploying().exists()
    assert Transition.objects.latest("id").cause == "the deploy was given back by admin in the admin"
    assert LogEntry.objects.filter(change_message="Ended.", object_id=str(lease.pk)).count() == 1
    assert "None of them is under way" in end(admin_client, lease)


def test_who_may_only_look_ends_nothing(client: Client, django_user_model: type[User], lease: Deployment) -> None:
    viewer = django_user_model.objects.create_user("sam", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename="view_deployment"))
    client.force_login(viewer)
    assert "End now" not in text(client, LIST)
    end(client, lease)
    assert Container.objects.deploying().exists()
