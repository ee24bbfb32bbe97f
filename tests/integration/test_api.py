"""/api/v1: containers, workloads and hosts, as programs read them."""

from datetime import datetime, timedelta
from typing import Any
from unittest import mock

import pytest
import redis
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from reconciler.conf import lock_of
from reconciler.core.report import Trigger
from reconciler.lock import PassRequest
from reconciler.models import Container, Host, Transition, Workload
from tests.api import PROBLEM, ApiClient
from tests.builders import cid
from web.audit import note_of
from web.models import Scope

pytestmark = pytest.mark.django_db

NO_REDIS = "redis://127.0.0.1:1/0"


@pytest.fixture
def api(local: Host) -> ApiClient:
    """A client that may read, while the host local answers."""
    Host.objects.update(last_success_at=timezone.now())
    return ApiClient()


def row(row_id: str, **columns: object) -> Container:
    given = {"workload_id": row_id.split(":")[0], "container_id": cid(row_id), "state": "running"}
    return Container.objects.create(id=row_id, **(given | columns))


def ids(api: ApiClient, path: str = "containers", **query: object) -> list[str]:
    return [item["id"] for item in api.items(path, **query)]


# Who may


def test_strangers_are_told_to_show_a_token(client: Client, local: Host) -> None:
    answer = client.get("/api/v1/containers")
    assert (answer.status_code, answer["Content-Type"], answer["WWW-Authenticate"]) == (
        *(401, PROBLEM),
        'Bearer realm="tinyforge"',
    )


def test_a_person_who_is_logged_in_reads(admin_client: Client, local: Host) -> None:
    assert admin_client.get("/api/v1/containers").status_code == 200


@pytest.mark.parametrize(("group", "status"), [("viewer", 200), ("operator", 200), (None, 403)])
def test_a_person_reads_who_may_look_at_containers_in_the_admin(
    client: Client, local: Host, django_user_model: Any, group: str | None, status: int
) -> None:
    person = django_user_model.objects.create_user("sam", is_staff=True)
    person.groups.set(Group.objects.filter(name=group))
    client.force_login(person)
    assert client.get("/api/v1/containers").status_code == status


def test_a_person_who_is_logged_in_asks_for_nothing(admin_client: Client, local: Host) -> None:
    assert admin_client.post("/api/v1/hosts/local/reconcile").status_code == 403


def test_a_token_that_may_only_read_asks_for_nothing(api: ApiClient) -> None:
    assert api.post("hosts/local/reconcile").status_code == 403


# Containers


def test_a_container_is_told_with_all_that_is_known(api: ApiClient) -> None:
    at = timezone.now().replace(microsecond=0)
    row("shop:web", role="web", port=80, subdomain="shop", started_at=at, oom_killed=False, restart_count=2)
    (item,) = api.items("containers")
    assert (item["id"], item["host"], item["workload"], item["role"]) == ("shop:web", "local", "shop", "web")
    assert (item["container_id"], item["port"], item["subdomain"]) == (cid("shop:web"), 80, "shop")
    assert (item["started_at"], item["oom_killed"]) == (f"{at:%Y-%m-%dT%H:%M:%S}Z", False)
    assert (item["restart_count"], item["finished_at"], item["restart_loop"]) == (2, None, False)


def test_a_moment_keeps_its_microseconds(api: ApiClient) -> None:
    at = timezone.now().replace(microsecond=120_034)
    row("shop:web", last_seen_at=at)
    assert api.items("containers")[0]["last_seen_at"] == f"{at:%Y-%m-%dT%H:%M:%S}.120034Z"


def test_a_placeholder_is_pending(api: ApiClient) -> None:
    row("shop:web", container_id="", state="")
    assert (api.items("containers")[0]["state"], ids(api, state="pending")) == ("pending", ["shop:web"])


def test_a_row_of_a_silent_host_keeps_its_state_and_is_unknown(api: ApiClient) -> None:
    """I17."""
    seen = timezone.now() - timedelta(seconds=5)
    Host.objects.update(last_error="connection refused", last_success_at=seen)
    row("shop:web")
    item = api.get("containers/shop:web").json()["item"]
    assert (item["state"], item["effective_state"]) == ("running", "unknown")
    assert datetime.fromisoformat(item["unknown_since"]) == seen


def test_an_orphan_is_said_to_be_one(api: ApiClient) -> None:
    Workload.objects.create(id="shop", ref_id="shop")
    row("shop:web")
    row("lost:web")
    assert {item["id"]: item["orphan"] for item in api.items("containers")} == {"lost:web": True, "shop:web": False}


def test_a_restart_loop_is_told(api: ApiClient) -> None:
    looping = row("shop:web")
    given = {"host_id": "local", "container_id": looping.container_id, "at": timezone.now(), "to_state": "running"}
    Transition.objects.create(row_id=looping.id, restarts=3, **given)
    item = api.get("containers/shop:web").json()["item"]
    assert (item["restarts_lately"], item["restart_loop"]) == (3, True)


@pytest.mark.parametrize("row_id", ["a/b:web", "a/bind", "a%3Ab:web@west", "ä ö:web", "a?b#c:web"])
def test_one_container_is_found_by_its_id_whatever_is_in_it(api: ApiClient, row_id: str) -> None:
    row(row_id)
    assert api.get(f"containers/{row_id}").json()["item"]["id"] == row_id


@pytest.mark.parametrize("path", ["containers/none", "workloads/none", "hosts/none", "containers/a\0b", "nothing"])
def test_what_is_not_there_is_not_found(api: ApiClient, path: str) -> None:
    assert api.get(path).status_code == 404


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["blog:site", "shop:db@west", "shop:web"]),
        ({"host": "west"}, ["shop:db@west"]),
        ({"host": ["west", "local"]}, ["blog:site", "shop:db@west", "shop:web"]),
        ({"workload": "shop"}, ["shop:db@west", "shop:web"]),
        ({"kind": "site"}, ["blog:site"]),
        ({"role": ""}, ["blog:site"]),
        ({"state": ["stopped", "missing"]}, ["blog:site"]),
        ({"effective_state": "running"}, ["shop:web"]),
        ({"effective_state": "unknown"}, ["shop:db@west"]),
        ({"state": "running", "effective_state": "unknown"}, ["shop:db@west"]),
        ({"trouble": "unhealthy"}, ["shop:web"]),
        ({"trouble": "unknown"}, ["shop:db@west"]),
        ({"trouble": "orphan"}, ["blog:site"]),
        ({"trouble": "looping"}, []),
        ({"trouble": "any", "workload": "shop"}, ["shop:db@west", "shop:web"]),
        ({"workload": "%"}, []),
    ],
)
def test_containers_can_be_filtered(api: ApiClient, query: dict[str, Any], found: list[str]) -> None:
    Host.objects.create(name="west")
    Workload.objects.create(id="shop", ref_id="shop")
    row("shop:web", role="web", health="unhealthy")
    row("shop:db@west", role="db", host_id="west")
    row("blog:site", state="stopped", workload_kind="site")
    assert ids(api, **query) == found


# Pages


@pytest.mark.parametrize("size", [1, 2, 3, 5, 6, 1000])
def test_the_pages_are_together_the_list(api: ApiClient, size: int) -> None:
    made = [row(f"w{number}:web").id for number in range(5)]
    found: list[str] = []
    query: dict[str, Any] = {"limit": size}
    while True:
        page = api.get("containers", **query).json()
        found += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        query["after"] = page["next"]
    assert found == made


def test_rows_that_come_and_go_between_pages_move_no_other_row(api: ApiClient) -> None:
    for row_id in ("a:web", "b:web", "c:web"):
        row(row_id)
    page = api.get("containers", limit=2).json()
    Container.objects.filter(id="a:web").delete()
    row("aa:web")
    assert ids(api, limit=2, after=page["next"]) == ["c:web"]


def test_an_answer_says_as_of_when_it_is(api: ApiClient) -> None:
    """I17."""
    before = timezone.now()
    said = api.get("containers").json()["as_of"]
    assert f"{before:%Y-%m-%dT%H:%M:%S.%f}Z" <= said <= f"{timezone.now():%Y-%m-%dT%H:%M:%S.%f}Z"


# Tags


@pytest.mark.parametrize(
    "path", ["containers", "containers/shop:web", "workloads", "workloads/shop", "hosts", "hosts/local"]
)
def test_who_has_the_content_is_not_sent_it_again(api: ApiClient, path: str) -> None:
    Workload.objects.create(id="shop", ref_id="shop")
    row("shop:web")
    # the uptime that is told ends with the last full minute
    with mock.patch("django.utils.timezone.now", return_value=timezone.now()):
        tag = api.get(path)["ETag"]
        again = api.get(path, tag=tag)
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", tag)


def test_a_tag_is_of_its_content_alone(api: ApiClient) -> None:
    row("shop:web")
    tag = api.get("containers")["ETag"]
    Container.objects.update(subdomain="shop")
    assert api.get("containers", tag=tag).status_code == 200


def test_the_passing_of_time_changes_the_content(api: ApiClient) -> None:
    """I17."""
    row("shop:web")
    tag = api.get("containers")["ETag"]
    Host.objects.update(last_success_at=timezone.now() - timedelta(hours=1))
    assert api.get("containers", tag=tag).status_code == 200


@pytest.mark.parametrize("wrap", ["{}", 'W/"other", {}', "*"])
def test_any_of_several_tags_will_do(api: ApiClient, wrap: str) -> None:
    tag = api.get("containers")["ETag"]
    assert api.get("containers", tag=wrap.format(tag.removeprefix("W/"))).status_code == 304


def test_a_request_for_the_head_alone_tells_the_tag(api: ApiClient) -> None:
    assert api.ask("HEAD", "containers")["ETag"] == api.get("containers")["ETag"]


def test_caches_keep_nothing_for_others(api: ApiClient) -> None:
    answer = api.get("containers")
    assert (answer["Cache-Control"], answer["Vary"]) == ("private, no-cache", "Authorization, Cookie")


# Wrong requests


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 1001},
        {"limit": "many"},
        {"limit": ""},
        {"limit": [1, 2]},
        {"after": ["a", "b"]},
        {"colour": "red"},
        {"trouble": "some"},
        {"host": "x" * 256},
        {"host": "a\0b"},
        {"host": ["a"] * 101},
        {f"p{number}": "1" for number in range(1001)},
    ],
)
def test_a_wrong_query_is_refused(api: ApiClient, query: dict[str, Any]) -> None:
    answer = api.get("containers", **query)
    assert (answer.status_code, answer.json()["type"]) == (400, "tinyforge:problem:bad-request")


def test_the_refusal_says_what_is_wrong(api: ApiClient) -> None:
    detail = api.get("containers", limit=1001).json()["detail"]
    assert ("limit" in detail, "1000" in detail) == (True, True)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("DELETE", "containers", "GET, HEAD"), ("GET", "hosts/local/reconcile", "POST"), ("PUT", "hosts", "GET, HEAD")],
)
def test_a_method_that_is_not_there_is_not_allowed(api: ApiClient, method: str, path: str, allowed: str) -> None:
    answer = api.ask(method, path)
    assert (answer.status_code, answer["Allow"]) == (405, allowed)


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v2/containers", "/api/v1/", "/api/v1/containers/"])
def test_nothing_below_the_api_is_a_page_of_errors(api: ApiClient, client: Client, path: str) -> None:
    answer = client.post(path)
    assert (answer.status_code >= 400, answer["Content-Type"]) == (True, PROBLEM)


def test_a_host_header_that_is_not_allowed_is_refused_in_the_same_form(client: Client) -> None:
    answer = client.get("/api/v1/containers", headers={"Host": "evil.example"})
    assert (answer.status_code, answer["Content-Type"]) == (400, PROBLEM)


def test_an_error_of_ours_has_the_same_form(api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.api.containers.Container", None)
    api._client.raise_request_exception = False
    answer = api._client.get("/api/v1/containers")
    assert (answer.status_code, answer["Content-Type"]) == (500, PROBLEM)


# Workloads


def test_workloads_count_their_containers_by_what_is_known_of_them(api: ApiClient) -> None:
    Host.objects.create(name="west")
    Workload.objects.create(id="shop", ref_id="shop", name="The shop", kind="stack")
    Workload.objects.create(id="blog", ref_id="blog")
    row("shop:web")
    row("shop:db", state="")
    row("shop:web@west", host_id="west")
    blog, shop = api.items("workloads")
    assert (blog["id"], blog["containers"]) == ("blog", {})
    assert (shop["name"], shop["kind"]) == ("The shop", "stack")
    assert shop["containers"] == {"pending": 1, "running": 1, "unknown": 1}


def test_one_workload_comes_with_its_containers(api: ApiClient) -> None:
    Workload.objects.create(id="shop", ref_id="shop")
    row("shop:web")
    row("blog:web")
    answer = api.get("workloads/shop").json()
    assert answer["item"]["containers"] == {"running": 1}
    assert ([item["id"] for item in answer["containers"]], answer["next"]) == (["shop:web"], None)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["blog", "shop"]),
        ({"kind": "stack"}, ["shop"]),
        ({"host": "west"}, ["shop"]),
        ({"trouble": "unhealthy"}, ["blog"]),
        ({"trouble": "any", "host": "west"}, ["shop"]),
        ({"after": "blog"}, ["shop"]),
    ],
)
def test_workloads_can_be_filtered(api: ApiClient, query: dict[str, str], found: list[str]) -> None:
    Host.objects.create(name="west")
    Workload.objects.create(id="shop", ref_id="shop", kind="stack")
    Workload.objects.create(id="blog", ref_id="blog")
    row("shop:web@west", host_id="west")
    row("blog:web", health="unhealthy")
    assert ids(api, "workloads", **query) == found


# Hosts


def test_hosts_say_how_they_are_doing_and_not_what_their_errors_are(api: ApiClient) -> None:
    """I17."""
    Host.objects.create(name="west", last_error="secret.example refused", failures=3, url="tcp://secret.example:1")
    row("shop:web@west", host_id="west")
    row("shop:web")
    answer = api.get("hosts")
    local, west = answer.json()["items"]
    assert (local["condition"], local["containers"]) == ("fresh", {"running": 1})
    assert (west["condition"], west["failures"]) == ("failing", 3)
    assert (west["containers"], west["last_known"]) == ({"unknown": 1}, {"running": 1})
    assert b"secret" not in answer.content


def test_one_host_is_told_by_its_name(api: ApiClient) -> None:
    Host.objects.create(name="west", enabled=False)
    assert api.get("hosts/west").json()["item"]["condition"] == "off"


# Asking for a pass


def test_a_pass_that_is_asked_for_follows_and_is_written_down(valkey: redis.Redis, local: Host) -> None:
    deployer = ApiClient(Scope.DEPLOY)
    answer = deployer.post("hosts/local/reconcile")
    assert (answer.status_code, answer.json()["host"]) == (202, "local")
    grant = lock_of("local").acquire(only_if_asked=True)
    assert grant is not None
    assert grant.asked == PassRequest(Trigger.MANUAL)
    noted = LogEntry.objects.get()
    assert (str(noted.user), noted.object_id) == ("(tokens)", "local")
    assert noted.change_message == "Token test deploy: Asked for a pass, from 127.0.0.1."


def test_the_log_keeps_so_many_entries_of_tokens_and_every_one_of_a_person(
    valkey: redis.Redis, local: Host, admin_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I19."""
    monkeypatch.setattr("web.audit.MOST_ENTRIES_OF_TOKENS", 3)
    note_of(admin_user, local, "Asked for a pass.")
    deployer = ApiClient(Scope.DEPLOY)
    for _ in range(5):
        deployer.post("hosts/local/reconcile")
    users = [entry.user.username for entry in LogEntry.objects.all()]
    assert sorted(users) == ["(tokens)"] * 3 + ["admin"]


def test_nobody_logs_in_as_the_user_under_whom_tokens_stand_in_the_log(valkey: redis.Redis, local: Host) -> None:
    ApiClient(Scope.DEPLOY).post("hosts/local/reconcile")
    user = LogEntry.objects.get().user
    assert (user.is_active, user.has_usable_password(), user.is_staff) == (False, False, False)


def test_a_host_that_is_off_is_not_looked_at(valkey: redis.Redis, local: Host) -> None:
    Host.objects.update(enabled=False)
    answer = ApiClient(Scope.DEPLOY).post("hosts/local/reconcile")
    assert (answer.status_code, "enable it" in answer.json()["detail"]) == (409, True)
    assert lock_of("local").acquire(only_if_asked=True) is None


def test_without_redis_nobody_can_be_asked(local: Host, settings: Settings) -> None:
    settings.REDIS_URL = NO_REDIS
    answer = ApiClient(Scope.DEPLOY).post("hosts/local/reconcile")
    assert (answer.status_code, answer["Retry-After"], b"127.0.0.1" in answer.content) == (503, "5", False)
    assert not LogEntry.objects.exists()


# What it costs


@pytest.mark.parametrize(
    ("path", "most"), [("containers", 3), ("containers?trouble=any", 3), ("workloads", 5), ("hosts", 6)]
)
def test_the_number_of_queries_does_not_grow(
    api: ApiClient, django_assert_max_num_queries: DjangoAssertNumQueries, path: str, most: int
) -> None:
    """I11."""
    for number in range(20):
        Host.objects.create(name=f"h{number}")
        Workload.objects.create(id=f"w{number}", ref_id=f"w{number}")
        row(f"w{number}:web@h{number}", host_id=f"h{number}")
    path, _, query = path.partition("?")
    api.get("hosts")
    with django_assert_max_num_queries(most):
        assert len(api.items(path, **dict([query.split("=")] if query else []))) >= 20
