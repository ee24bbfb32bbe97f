"""/api/v1 for deployers: announcing, binding and failing containers, and saying what is being deployed."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from reconciler.models import Container, Deployment, Host, Transition, Workload
from tests.api import ApiClient
from tests.builders import cid
from web.models import Scope

pytestmark = pytest.mark.django_db

NEW, OLD = cid("new"), cid("old")
WEB = {"workload": "shop", "role": "web"}


@pytest.fixture
def api(local: Host) -> ApiClient:
    """A client that may deploy, while the host local answers."""
    Host.objects.update(last_success_at=timezone.now())
    return ApiClient(Scope.DEPLOY)


def bound() -> Container:
    return Container.objects.create(id="shop:web", workload_id="shop", container_id=OLD, state="running")


def changes(api: ApiClient, cursor: str) -> list[dict[str, Any]]:
    return api.items("changes", after=cursor)


# Who may


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "containers/shop:web", WEB),
        ("POST", "containers/shop:web/bind", {"container_id": NEW}),
        ("POST", "containers/shop:web/failed", {}),
        ("DELETE", "containers/shop:web", None),
        ("PUT", "deployments/workloads/shop", {}),
        ("DELETE", "deployments/workloads/shop", None),
        ("PUT", "deployments/containers/shop:web", {}),
        ("DELETE", "deployments/containers/shop:web", None),
    ],
)
def test_a_token_that_may_only_read_deploys_nothing(local: Host, method: str, path: str, body: Any) -> None:
    bound()
    answer = ApiClient().send(method, path, body)
    assert (answer.status_code, "wants the scope deploy" in answer.json()["detail"]) == (403, True)
    assert (Container.objects.get().container_id, Deployment.objects.exists()) == (OLD, False)


# Containers


def test_a_container_is_announced_bound_and_followed(api: ApiClient) -> None:
    placed = api.send("PUT", "containers/shop:web", WEB | {"subdomain": "shop"}).json()
    assert (placed["item"]["state"], placed["item"]["subdomain"]) == ("pending", "shop")
    made = api.send("POST", "containers/shop:web/bind", {"container_id": NEW}).json()
    assert (made["item"]["state"], made["item"]["container_id"]) == ("created", NEW)
    assert [change["to_state"] for change in changes(api, placed["cursor"])] == ["created"]
    assert changes(api, made["cursor"]) == []


def test_the_history_says_whose_token_it_was(api: ApiClient) -> None:
    api.send("PUT", "containers/shop:web", WEB)
    assert Transition.objects.get().cause == "a deploy was announced by token test deploy"


def test_who_is_second_gets_a_conflict_that_says_so(api: ApiClient) -> None:
    bound()
    answer = api.send("POST", "containers/shop:web/bind", {"container_id": NEW, "expected_container_id": ""})
    assert (answer.status_code, answer.json()["type"]) == (409, "tinyforge:problem:conflict")
    assert "somebody was faster" in answer.json()["detail"]


def test_a_redeploy_expects_the_old_container(api: ApiClient) -> None:
    bound()
    body = {"container_id": NEW, "expected_container_id": OLD}
    assert [api.send("POST", "containers/shop:web/bind", body).status_code for _ in range(2)] == [200, 200]
    assert Container.objects.get().container_id == NEW


def test_a_deploy_that_failed_is_said_to_have_failed(api: ApiClient) -> None:
    api.send("PUT", "containers/shop:web", WEB)
    answer = api.send("POST", "containers/shop:web/failed", {"cause": "no such image"})
    assert answer.json()["item"]["state"] == "failed"
    assert "no such image" in Transition.objects.latest("id").cause


def test_a_row_is_deleted_and_its_history_ends(api: ApiClient) -> None:
    """I16."""
    bound()
    assert api.send("DELETE", "containers/shop:web").json()["row"] == "shop:web"
    end = Transition.objects.get()
    assert (end.to_state, end.cause) == ("gone", "deleted by token test deploy")
    assert api.send("DELETE", "containers/shop:web").status_code == 404


@pytest.mark.parametrize("row_id", ["a/b:web", "a/bind", "a/failed/bind", "ä ö:web", "a?b#c:web", "a%3Ab:web"])
def test_a_row_is_announced_and_bound_whatever_is_in_its_id(api: ApiClient, row_id: str) -> None:
    assert api.send("PUT", f"containers/{row_id}", WEB).status_code == 200
    assert api.send("POST", f"containers/{row_id}/bind", {"container_id": NEW}).status_code == 200
    assert Container.objects.get(id=row_id).container_id == NEW


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("PUT", "containers/shop:web", {}, "missing required field `workload`"),
        ("PUT", "containers/shop:web", WEB | {"port": 80}, "unknown field `port`"),
        ("PUT", "containers/shop:web", WEB | {"npm_proxy_id": -1}, "at `$.npm_proxy_id`"),
        ("PUT", "containers/shop:web", WEB | {"subdomain": "a\0b"}, "subdomain 'a\\x00b' cannot be used"),
        ("PUT", "containers/shop:web", WEB | {"host": "west"}, "unknown host west; known: local"),
        ("PUT", "containers/shop:web@west", WEB, "is on host 'west' by its id"),
        ("PUT", f"containers/{'x' * 328}", WEB, "longer than 327 characters"),
        ("PUT", "containers/shop:web", [], "Expected `object`, got `array`"),
        ("POST", "containers/shop:web/bind", {}, "missing required field `container_id`"),
        ("POST", "containers/shop:web/bind", {"container_id": NEW[:12]}, "at `$.container_id`"),
        ("POST", "containers/shop:web/bind", {"container_id": NEW + "\n"}, "64 hexadecimal digits"),
        ("POST", "containers/shop:web/failed", {"cause": ""}, "at `$.cause`"),
        ("POST", "containers/shop:web/failed", {"cause": "\n"}, "the cause"),
        ("PUT", "deployments/workloads/shop", {"seconds": 1801}, "<= 1800 - at `$.seconds`"),
        ("PUT", "deployments/workloads/shop", {"seconds": 0}, "at `$.seconds`"),
        ("PUT", "deployments/workloads/shop", {"seconds": 1.5}, "at `$.seconds`"),
    ],
)
def test_what_is_wrong_is_said(api: ApiClient, method: str, path: str, body: Any, words: str) -> None:
    bound()
    answer = api.send(method, path, body)
    assert (answer.status_code, answer.json()["type"]) == (400, "tinyforge:problem:bad-request")
    assert words in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "containers/none/bind", {"container_id": NEW}),
        ("POST", "containers/none/failed", {}),
        ("DELETE", "containers/none", None),
        ("PUT", "deployments/workloads/none", {}),
        ("PUT", "deployments/containers/none", {}),
        ("DELETE", "deployments/workloads/none", None),
    ],
)
def test_what_is_not_there_is_not_found(api: ApiClient, method: str, path: str, body: Any) -> None:
    assert api.send(method, path, body).status_code == 404


# Deployments


def test_a_workload_is_deployed_and_given_back(api: ApiClient) -> None:
    Workload.objects.create(id="shop", ref_id="shop")
    begun = api.send("PUT", "deployments/workloads/shop", {"seconds": 900}).json()["item"]
    lease = Deployment.objects.get()
    assert (begun["workload"], begun["row"], begun["ended_at"], begun["by"]) == ("shop", "", None, "token test deploy")
    assert lease.ends_at - lease.began_at == timedelta(seconds=900)
    assert api.items("deployments") == [begun]
    ended = api.send("DELETE", "deployments/workloads/shop").json()["item"]
    assert (ended["id"], ended["ended_at"] is None) == (begun["id"], False)
    assert api.items("deployments") == []
    assert api.send("DELETE", "deployments/workloads/shop").status_code == 404


def test_a_single_row_is_deployed(api: ApiClient) -> None:
    bound()
    api.send("PUT", "deployments/containers/shop:web", {})
    assert [each["row"] for each in api.items("deployments")] == ["shop:web"]
    assert list(Container.objects.deploying()) == [Container.objects.get()]
    assert api.send("DELETE", "deployments/containers/shop:web").status_code == 200


def test_a_deploy_that_has_ended_by_itself_is_not_listed(api: ApiClient) -> None:
    bound()
    api.send("PUT", "deployments/containers/shop:web", {})
    Deployment.objects.update(began_at=timezone.now() - timedelta(hours=1), ends_at=timezone.now())
    assert api.items("deployments") == []


def test_the_feed_tells_of_deploys_with_the_deploy_as_it_is_now(api: ApiClient) -> None:
    """I16."""
    bound()
    cursor = api.get("changes").json()["cursor"]
    api.send("PUT", "deployments/workloads/shop", {})
    api.send("PUT", "deployments/containers/shop:web", {})
    api.send("DELETE", "deployments/workloads/shop")
    began, of_row, ended = changes(api, cursor)
    assert (began["kind"], began["workload"], began["row"], began["host"]) == ("deployment", "shop", "", "")
    assert (began["from_state"], began["to_state"], ended["to_state"]) == (None, "deploying", "deployed")
    assert began["deployment"] == ended["deployment"]
    assert began["deployment"]["ended_at"] is not None
    assert (of_row["deployment"]["row"], of_row["container"]["id"], of_row["host"]) == ("shop:web", "shop:web", "local")


def test_a_change_of_a_container_tells_no_deploy(api: ApiClient) -> None:
    cursor = api.send("PUT", "containers/shop:web", WEB).json()["cursor"]
    api.send("PUT", "deployments/containers/shop:web", {})
    api.send("POST", "containers/shop:web/failed", {})
    assert [change["deployment"] is None for change in changes(api, cursor)] == [False, True]


def test_deploys_are_listed_page_by_page(api: ApiClient) -> None:
    for number in range(5):
        Workload.objects.create(id=f"w{number}", ref_id=f"w{number}")
        api.send("PUT", f"deployments/workloads/w{number}", {})
    pages = [api.get("deployments", limit=2).json()]
    while pages[-1]["next"]:
        pages.append(api.get("deployments", limit=2, after=pages[-1]["next"]).json())
    assert len(pages) == 3
    assert [each["workload"] for page in pages for each in page["items"]] == [f"w{number}" for number in range(5)]


def test_deploys_can_be_filtered(api: ApiClient) -> None:
    bound()
    api.send("PUT", "deployments/workloads/shop", {})
    api.send("PUT", "deployments/containers/shop:web", {})
    assert [each["row"] for each in api.items("deployments", workload="shop")] == [""]
    assert [each["row"] for each in api.items("deployments", row=["shop:web", "x"])] == ["shop:web"]


@pytest.mark.parametrize("after", ["", "x", "-1", "9" * 19])
def test_a_place_in_the_list_that_no_answer_gave_is_refused(api: ApiClient, after: str) -> None:
    assert api.get("deployments", after=after).status_code == 400
