import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import redis
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoDbBlocker
from pytest_django.fixtures import Settings

from reconciler.conf import lock_of
from reconciler.core.report import Trigger
from reconciler.lock import Lease, PassRequest
from reconciler.models import Container, Host, Instance, Stack, State, Transition, Workload
from tests.builders import certain
from tinyforge.schedule import URGENT_QUEUE

LIST = reverse("admin:reconciler_container_changelist")
ADD = reverse("admin:reconciler_container_add")
HOSTS = reverse("admin:reconciler_host_changelist")
TRANSITIONS = reverse("admin:reconciler_transition_changelist")
SCRIPT = "<script>alert(1)</script>"
NO_REDIS = "redis://127.0.0.1:1/0"


LogIn = Callable[..., Client]


@pytest.fixture(autouse=True)
def _alone(settings: Settings, tmp_path: Path) -> None:
    """Do not depend on what collectstatic has left."""
    settings.STATIC_ROOT = tmp_path


@pytest.fixture
def staff(django_user_model: type[User], db: None) -> LogIn:
    """Return the client of a staff member who has these permissions and no others."""

    def log_in(*codenames: str) -> Client:
        user = django_user_model.objects.create_user("sam", password="x", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client = Client()
        client.force_login(user)
        return client

    return log_in


@pytest.fixture
def shop(local: Host) -> Container:
    """A row whose workload is there."""
    Workload.objects.create(id="shop", ref_id="shop", name="The shop")
    return make("shop:web", role="web", container_id="c0ffee" * 10, image_ref="registry.local/shop:1", state="running")


@pytest.fixture
def orphan(local: Host) -> Container:
    """A row whose workload is gone."""
    return make("lost:web", role="web", state="stopped")


def make(row_id: str, **columns: Any) -> Container:
    return Container.objects.create(**{"id": row_id, "workload_id": row_id.split(":")[0]} | columns)


def page(client: Client, **query: Any) -> str:
    answer = client.get(LIST, query)
    assert answer.status_code == 200
    return answer.content.decode()


def rows(client: Client, **query: Any) -> set[str]:
    """Return the row ids that the list shows."""
    answer = client.get(LIST, query)
    assert answer.status_code == 200
    return {row.id for row in answer.context["cl"].result_list}


def cell(html: str, column: str) -> str:
    """Return what a list with a single row shows in a column."""
    return certain(re.search(rf'class="field-{column}[^"]*">(.*?)</t[dh]>', html, re.DOTALL))[1]


def detail(row: Container) -> str:
    return reverse("admin:reconciler_container_change", args=[row.pk])


def messages(answer: Any) -> list[tuple[str, str]]:
    return [(message.level_tag, message.message) for message in answer.context["messages"]]


# Containers can be looked at and not changed


@pytest.mark.parametrize("url", ["list", "detail"])
def test_containers_can_be_looked_at_with_the_permission_to_view_alone(staff: LogIn, shop: Container, url: str) -> None:
    client = staff("view_container")
    assert client.get(LIST if url == "list" else detail(shop)).status_code == 200


def test_containers_cannot_be_looked_at_without_the_permission(staff: LogIn, shop: Container) -> None:
    assert staff("view_host").get(LIST).status_code == 403


def test_nobody_adds_a_container(admin_client: Client, db: None) -> None:
    assert admin_client.get(ADD).status_code == 403
    assert admin_client.post(ADD, {"id": "mine"}).status_code == 403
    assert not Container.objects.exists()


def test_nobody_changes_a_container(admin_client: Client, shop: Container) -> None:
    assert admin_client.post(detail(shop), {"state": "failed"}).status_code == 403
    assert Container.objects.get().state == "running"


def test_nobody_deletes_a_container(admin_client: Client, shop: Container) -> None:
    url = reverse("admin:reconciler_container_delete", args=[shop.pk])
    assert admin_client.post(url, {"post": "yes"}).status_code == 403
    assert Container.objects.exists()


def test_nobody_deletes_containers_by_an_action(admin_client: Client, shop: Container) -> None:
    admin_client.post(LIST, {"action": "delete_selected", "_selected_action": [shop.pk], "post": "yes"})
    assert Container.objects.exists()


def test_every_permission_granted_to_staff_changes_nothing_of_that(staff: LogIn, shop: Container) -> None:
    client = staff("view_container", "add_container", "change_container", "delete_container")
    assert [client.get(ADD).status_code, client.post(detail(shop), {}).status_code] == [403, 403]


def test_there_is_no_button_for_what_is_not_allowed(admin_client: Client, shop: Container) -> None:
    html = page(admin_client) + admin_client.get(detail(shop)).content.decode()
    assert not re.search(rf'{ADD}|deletelink|name="_save"|delete_selected|action-checkbox', html)


def test_the_detail_shows_what_is_known(admin_client: Client, shop: Container) -> None:
    html = admin_client.get(detail(shop)).content.decode()
    for text in ("shop:web", "c0ffee" * 10, "registry.local/shop:1", "The shop"):
        assert text in html


# What the list shows


@pytest.mark.parametrize("state", State.values)
def test_each_state_is_a_badge_of_its_own(admin_client: Client, local: Host, state: str) -> None:
    make("shop:web", state=state)
    badge = cell(page(admin_client), "shown_state")
    assert re.search(rf'class="state state-{state or "pending"}(?: level-(?:down|warn))?"', badge)
    assert State(state).label in badge


def test_a_state_nobody_knows_is_shown_as_it_is(admin_client: Client, local: Host) -> None:
    make("shop:web", state="levitating")
    assert 'class="state state-other">• levitating</span>' in cell(page(admin_client), "shown_state")


def test_a_row_links_to_its_workload_by_name(admin_client: Client, shop: Container) -> None:
    url = reverse("admin:reconciler_workload_change", args=["shop"])
    assert cell(page(admin_client), "shown_workload") == f'<a href="{url}">The shop</a>'


def test_a_workload_without_a_name_is_shown_by_its_id(admin_client: Client, shop: Container) -> None:
    Workload.objects.update(name="")
    assert cell(page(admin_client), "shown_workload").endswith(">shop</a>")


def test_an_orphan_is_shown_and_marked(admin_client: Client, orphan: Container) -> None:
    assert cell(page(admin_client), "shown_workload") == '<span class="orphan">lost (gone)</span>'


def test_an_orphan_s_detail_names_the_workload_that_is_gone(admin_client: Client, local: Host) -> None:
    row = make("web", workload_id="lost-workload")
    assert "lost-workload" in admin_client.get(detail(row)).content.decode()


@pytest.mark.parametrize(
    ("ago", "shown"),
    [
        (timedelta(seconds=7), "7 s ago"),
        (timedelta(minutes=5), "5\xa0minutes ago"),
        (timedelta(days=3), "3\xa0days ago"),
    ],
)
def test_a_row_shows_how_long_ago_it_was_seen(admin_client: Client, local: Host, ago: timedelta, shown: str) -> None:
    now = timezone.now()
    make("shop:web", last_seen_at=now - ago)
    with mock.patch("django.utils.timezone.now", return_value=now):
        assert f">{shown}</time>" in cell(page(admin_client), "seen")


def test_a_row_never_seen_says_so(admin_client: Client, orphan: Container) -> None:
    assert cell(page(admin_client), "seen") == "never"


# Finding rows


@pytest.mark.parametrize(
    "words", ["shop:web", "shop", "c0ffee", "registry.local", "SHOP:WEB", "web registry.local/shop:1"]
)
def test_search_finds_by_row_id_workload_container_image_and_role(
    admin_client: Client, shop: Container, words: str
) -> None:
    make("other:db", container_id="d" * 64, image_ref="db:1", role="db")
    assert rows(admin_client, q=words) == {"shop:web"}


def test_search_finds_by_role_alone(admin_client: Client, local: Host) -> None:
    make("a", role="worker")
    make("b", role="db")
    assert rows(admin_client, q="worker") == {"a"}


def test_search_finds_by_workload_alone(admin_client: Client, local: Host) -> None:
    make("a", workload_id="shop")
    make("b", workload_id="blog")
    assert rows(admin_client, q="blog") == {"b"}


def test_search_finds_the_rows_of_an_orphaned_workload(
    admin_client: Client, shop: Container, orphan: Container
) -> None:
    assert rows(admin_client, q="lost") == {"lost:web"}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"state__exact": "stopped"}, {"lost:web"}),
        ({"workload_kind__exact": "site"}, {"edge:site"}),
        ({"host__name__exact": "edge"}, {"edge:site"}),
        ({"truth": "orphan"}, {"lost:web"}),
        ({"truth": "orphan", "state__exact": "running"}, set()),
        ({"truth": "orphan", "q": "lost"}, {"lost:web"}),
        ({"truth": "nonsense"}, {"shop:web", "lost:web", "edge:site"}),
        ({}, {"shop:web", "lost:web", "edge:site"}),
    ],
)
def test_filters_narrow_the_list(
    admin_client: Client, shop: Container, orphan: Container, query: dict[str, str], found: set[str]
) -> None:
    Workload.objects.create(id="edge", kind="site", ref_id="edge")
    make("edge:site", workload_kind="site", host=Host.objects.create(name="edge"))
    assert rows(admin_client, **query) == found


def test_the_host_filter_offers_the_hosts_there_are(admin_client: Client, shop: Container) -> None:
    make("edge:site", host=Host.objects.create(name="edge"))
    assert "?host__name__exact=edge" in page(admin_client)


@pytest.mark.parametrize("order", range(1, 10))
def test_every_column_can_be_sorted_by_or_says_it_cannot(
    admin_client: Client, shop: Container, orphan: Container, order: int
) -> None:
    assert rows(admin_client, o=str(order)) == {"shop:web", "lost:web"}


# Cost


def queries_of(client: Client, url: str, **query: Any) -> list[dict[str, str]]:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(url, query).status_code == 200
    return captured.captured_queries


def fill(count: int) -> None:
    Host.objects.get_or_create(name="local")
    Workload.objects.bulk_create([Workload(id=f"w{n}", ref_id=f"w{n}", name=f"W {n}") for n in range(100)])
    Container.objects.bulk_create(
        Container(id=f"w{n % 100}:r{n}", workload_id=f"w{n % 100}", state="running", container_id=f"{n:064x}")
        for n in range(count)
    )


def test_the_list_takes_as_many_queries_for_a_hundred_rows_as_for_one(admin_client: Client, shop: Container) -> None:
    for_one = len(queries_of(admin_client, LIST))
    fill(99)
    assert len(queries_of(admin_client, LIST)) == for_one


@pytest.fixture(scope="class")
def hundred_thousand(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Make many rows once for a class of tests, and take them away again."""
    with django_db_blocker.unblock():
        fill(1)
        copy_row(Container.objects.get(), 99_999)
        yield
        Container.objects.all().delete()
        Workload.objects.all().delete()


def copy_row(row: Container, count: int) -> None:
    """Copy a row within the database, which takes a tenth of the time that it takes to send the copies there."""
    table, columns = row._meta.db_table, [str(field.column) for field in row._meta.concrete_fields]
    others = {"id": "'w' || (n % 100) || ':r' || n", "workload_id": "'w' || (n % 100)", "container_id": "'c' || n"}
    values = ", ".join(others.get(column, column) for column in columns)
    numbers = f"(SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})"  # noqa: S608 - no text from outside
    copies = f"SELECT {values} FROM numbers, {table} WHERE id = '{row.id}'"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({', '.join(columns)}) WITH RECURSIVE numbers(n) AS {numbers} {copies}")
        assert cursor.rowcount == count


@pytest.mark.usefixtures("hundred_thousand")
class TestAHundredThousandRows:
    @pytest.mark.parametrize(
        "query", [{}, {"q": "r99999"}, {"truth": "orphan"}, {"state__exact": "running", "p": "900"}]
    )
    def test_a_page_takes_few_queries_and_one_count(self, admin_client: Client, query: dict[str, str]) -> None:
        queries = [each["sql"] for each in queries_of(admin_client, LIST, **query)]
        counts = [sql for sql in queries if "COUNT(*)" in sql and "reconciler_container" in sql]
        assert len(queries) <= 8
        assert len(counts) == 1

    def test_a_page_shows_a_hundred(self, admin_client: Client) -> None:
        assert len(rows(admin_client)) == 100


# Text from outside


def test_what_a_daemon_said_is_shown_as_text(admin_client: Client, local: Host) -> None:
    row = make(
        f"{SCRIPT}:web",
        workload_id=SCRIPT,
        role=SCRIPT,
        image_ref=SCRIPT,
        container_id=SCRIPT,
        state="<b>running</b>",
        subdomain=SCRIPT,
    )
    html = page(admin_client, q="script") + admin_client.get(detail(row)).content.decode()
    assert SCRIPT not in html
    assert "<b>running" not in html
    assert "&lt;script&gt;" in html


def test_a_workload_s_name_is_shown_as_text(admin_client: Client, shop: Container) -> None:
    Workload.objects.update(name=SCRIPT)
    assert SCRIPT not in page(admin_client)


def test_a_host_s_error_is_shown_as_text(admin_client: Client, local: Host) -> None:
    Host.objects.update(last_error=SCRIPT)
    html = admin_client.get(HOSTS).content.decode()
    assert SCRIPT not in html
    assert "&lt;script&gt;" in html


# What is deployed can be edited


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (Workload, {"id": "shop", "kind": "project", "ref_id": "p1", "name": "The shop"}),
        (Instance, {"id": "i1", "project_id": "p1", "port": "8000", "npm_proxy_id": "0"}),
        (Stack, {"id": "s1", "name": "Stack", "compose_project_name": "tinyforge-s1"}),
    ],
)
def test_what_is_deployed_can_be_added_changed_and_deleted(
    admin_client: Client, db: None, model: type[Workload | Instance | Stack], values: dict[str, Any]
) -> None:
    name = model._meta.model_name
    admin_client.post(reverse(f"admin:reconciler_{name}_add"), values)
    column = "stage" if model is Instance else "name"
    admin_client.post(reverse(f"admin:reconciler_{name}_change", args=[values["id"]]), values | {column: "changed"})
    assert getattr(model.objects.get(id=values["id"]), column) == "changed"
    admin_client.post(reverse(f"admin:reconciler_{name}_delete", args=[values["id"]]), {"post": "yes"})
    assert not model.objects.exists()


def test_deleting_a_workload_leaves_its_container_as_an_orphan(admin_client: Client, shop: Container) -> None:
    admin_client.post(reverse("admin:reconciler_workload_delete", args=["shop"]), {"post": "yes"})
    assert Container.objects.orphans().get() == shop


@pytest.mark.parametrize("model", ["workload", "instance", "stack", "host", "container"])
@pytest.mark.parametrize("query", [{}, {"q": "x"}])
def test_every_list_opens(admin_client: Client, local: Host, model: str, query: dict[str, str]) -> None:
    assert admin_client.get(reverse(f"admin:reconciler_{model}_changelist"), query).status_code == 200


# Hosts


def host_url(name: str = "local") -> str:
    return reverse("admin:reconciler_host_change", args=[name])


def test_a_host_can_be_added(admin_client: Client, db: None) -> None:
    admin_client.post(reverse("admin:reconciler_host_add"), {"name": "edge", "url": "tcp://edge:2376", "enabled": "on"})
    assert Host.objects.get(name="edge").url == "tcp://edge:2376"


def test_a_host_can_be_disabled(admin_client: Client, local: Host) -> None:
    admin_client.post(host_url(), {"url": ""})
    assert Host.objects.get().enabled is False


def test_a_host_s_name_cannot_be_changed(admin_client: Client, local: Host) -> None:
    admin_client.post(host_url(), {"name": "other", "url": "unix:///changed.sock"})
    assert [(host.name, host.url) for host in Host.objects.all()] == [("local", "unix:///changed.sock")]


def test_editing_a_host_leaves_its_fence_alone(admin_client: Client, local: Host) -> None:
    """I6."""
    Host.objects.update(fence_minted=7, fence_applied=6)
    admin_client.post(host_url(), {"url": "", "fence_minted": "0", "fence_applied": "0"})
    host = Host.objects.get()
    assert (host.fence_minted, host.fence_applied) == (7, 6)


def test_a_pass_made_while_a_host_is_edited_is_not_taken_back(admin_client: Client, local: Host) -> None:
    """I6: the form read the host before the pass took its token, and is saved after that."""

    def mint_before_update(execute: Callable[..., Any], sql: str, *more: Any) -> Any:
        if sql.startswith('UPDATE "reconciler_host" SET "url"'):
            Host.objects.update(fence_minted=7, fence_applied=6, last_error="hangs")
        return execute(sql, *more)

    with connection.execute_wrapper(mint_before_update):
        admin_client.post(host_url(), {"url": "tcp://west:2375"})
    host = Host.objects.get()
    assert host.url == "tcp://west:2375"
    assert (host.fence_minted, host.fence_applied, host.last_error) == (7, 6, "hangs")


def test_a_host_shows_its_last_success_and_error(admin_client: Client, local: Host) -> None:
    now = timezone.now()
    Host.objects.update(last_success_at=now - timedelta(seconds=9), last_error="timed out")
    with mock.patch("django.utils.timezone.now", return_value=now):
        html = admin_client.get(HOSTS).content.decode()
    assert "9 s ago" in cell(html, "success")
    assert cell(html, "trouble") == '<span class="level-unknown">timed out</span>'


def test_a_host_without_trouble_shows_none(admin_client: Client, local: Host) -> None:
    assert cell(admin_client.get(HOSTS).content.decode(), "trouble") == "—"


def test_a_host_with_containers_is_not_deleted(admin_client: Client, shop: Container) -> None:
    admin_client.post(reverse("admin:reconciler_host_delete", args=["local"]), {"post": "yes"})
    assert Host.objects.exists()


# Reconcile now


def reconcile_now(client: Client, *names: str) -> Any:
    return client.post(HOSTS, {"action": "reconcile_now", "_selected_action": names}, follow=True)


def test_reconcile_now_leaves_a_request_and_a_message(admin_client: Client, local: Host, valkey: redis.Redis) -> None:
    """I12."""
    answer = reconcile_now(admin_client, "local")
    assert messages(answer) == [("success", "A pass was asked for: local")]
    (body,) = valkey.lrange(URGENT_QUEUE, 0, -1)
    assert json.loads(body)["headers"]["argsrepr"] == "('local', 'manual')"
    assert lock_of("local").acquire(only_if_asked=True) == Lease(PassRequest(Trigger.MANUAL))


def test_reconcile_now_asks_of_every_host_chosen_and_of_no_other(
    admin_client: Client, local: Host, valkey: redis.Redis
) -> None:
    Host.objects.create(name="edge")
    Host.objects.create(name="third")
    reconcile_now(admin_client, "local", "edge")
    asked = [name for name in ("edge", "local", "third") if lock_of(name).acquire(only_if_asked=True)]
    assert asked == ["edge", "local"]


def test_reconcile_now_says_which_hosts_are_not_looked_at_because_they_are_off(
    admin_client: Client, local: Host, valkey: redis.Redis
) -> None:
    """I14."""
    Host.objects.create(name="edge", enabled=False)
    assert messages(reconcile_now(admin_client, "local", "edge")) == [
        ("success", "A pass was asked for: local"),
        ("warning", "Not looked at, because they are off: edge. Enable them first"),
    ]
    assert lock_of("edge").acquire(only_if_asked=True) is None


def test_reconcile_now_during_a_pass_is_answered_by_its_holder(
    admin_client: Client, local: Host, valkey: redis.Redis
) -> None:
    """I12."""
    holder = lock_of("local")
    holder.acquire()
    reconcile_now(admin_client, "local")
    assert valkey.llen(URGENT_QUEUE) == 0
    assert holder.release_unless_asked() == Lease(PassRequest(Trigger.MANUAL))


def test_reconcile_now_is_for_those_who_may_change_hosts(staff: LogIn, local: Host, valkey: redis.Redis) -> None:
    reconcile_now(staff("view_host", "change_host"), "local")
    assert valkey.llen(URGENT_QUEUE) == 1


def test_reconcile_now_is_for_operators_who_may_change_nothing(staff: LogIn, local: Host, valkey: redis.Redis) -> None:
    reconcile_now(staff("view_host", "ask_for_pass"), "local")
    assert valkey.llen(URGENT_QUEUE) == 1


def test_who_asked_for_a_pass_of_which_host_is_in_the_admins_log(
    staff: LogIn, local: Host, valkey: redis.Redis
) -> None:
    Host.objects.create(name="off", enabled=False)
    reconcile_now(staff("view_host", "ask_for_pass"), "local", "off")
    entry = LogEntry.objects.get(content_type__model="host")
    assert (entry.user.get_username(), entry.object_id, entry.change_message) == ("sam", "local", "Asked for a pass.")


def test_reconcile_now_is_not_for_those_who_only_look(staff: LogIn, local: Host, valkey: redis.Redis) -> None:
    client = staff("view_host")
    assert "reconcile_now" not in client.get(HOSTS).content.decode()
    reconcile_now(client, "local")
    assert valkey.keys() == []


def test_reconcile_now_without_redis_is_an_error_message(admin_client: Client, local: Host, settings: Settings) -> None:
    settings.REDIS_URL = NO_REDIS
    ((level, text),) = messages(reconcile_now(admin_client, "local"))
    assert level == "error"
    assert "Redis at 127.0.0.1:1 does not answer" in text
    assert not LogEntry.objects.filter(content_type__model="host").exists()


# Strangers


@pytest.mark.parametrize("url", [LIST, HOSTS, reverse("admin:index")])
def test_strangers_are_sent_to_the_login(client: Client, db: None, url: str) -> None:
    answer = client.get(url)
    assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, reverse("admin:login"))


# What is not known, history, loops and holds


@pytest.fixture
def fresh_shop(shop: Container) -> Container:
    """A row whose workload is there, on a host that answers."""
    Host.objects.update(last_success_at=timezone.now())
    return shop


def html_of(answer: Any) -> str:
    return str(answer.content.decode())


def step(row: Container, **columns: Any) -> Transition:
    given = {"row": row, "host_id": "local", "container_id": row.container_id, "at": timezone.now()}
    return Transition.objects.create(**(given | columns))


@pytest.fixture
def unreachable(shop: Container) -> Container:
    Host.objects.update(last_success_at=timezone.now() - timedelta(seconds=5), last_error="cannot be reached")
    return shop


def test_a_row_whose_host_does_not_answer_is_unknown_with_its_last_state(
    admin_client: Client, unreachable: Container
) -> None:
    """I17."""
    shown = cell(page(admin_client), "shown_state")
    assert "unknown" in shown
    assert "running" in shown


def test_unknown_rows_can_be_filtered(admin_client: Client, unreachable: Container) -> None:
    west = Host.objects.create(name="west", last_success_at=timezone.now())
    make("blog:web", host=west, container_id="b" * 64, state="running")
    assert rows(admin_client, truth="unknown") == {"shop:web"}


def test_a_restart_loop_is_seen_and_can_be_filtered(admin_client: Client, fresh_shop: Container) -> None:
    make("blog:web", container_id="b" * 64, state="running")
    step(fresh_shop, from_state="running", to_state="running", restarts=3)
    assert "restart loop" in page(admin_client, q="shop")
    assert rows(admin_client, truth="looping") == {"shop:web"}


def test_an_unhealthy_row_can_be_filtered_while_it_is_known_to_be(admin_client: Client, fresh_shop: Container) -> None:
    make("blog:web", container_id="b" * 64, state="running", health="unhealthy")
    make("wiki:web", host=Host.objects.create(name="west"), container_id="c" * 64, state="running", health="unhealthy")
    assert rows(admin_client, truth="unhealthy") == {"blog:web"}


@pytest.mark.parametrize(
    "columns",
    [
        {"state": "missing"},
        {"state": "failed"},
        {"state": "restarting"},
        {"state": "running", "health": "unhealthy"},
        {"state": "stopped", "oom_killed": True},
        {"workload_id": "gone"},
        {"container_id": "a" * 64, "host_id": "west"},
    ],
)
def test_any_trouble_can_be_filtered(admin_client: Client, fresh_shop: Container, columns: dict[str, Any]) -> None:
    Host.objects.create(name="west")
    make("shop:other", **({"workload_id": "shop", "state": "running"} | columns))
    assert rows(admin_client, truth="any") == {"shop:other"}


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        ({"state": "stopped", "exit_code": 0}, 'stopped</span> <span class="quiet">exit 0</span>'),
        ({"state": "restarting", "exit_code": 1}, 'restarting</span> <span class="quiet">exit 1</span>'),
        ({"state": "missing", "exit_code": 1}, "missing</span>"),
    ],
)
def test_a_row_says_how_its_container_ended(
    admin_client: Client, local: Host, columns: dict[str, Any], shown: str
) -> None:
    make("shop:web", **columns)
    assert cell(page(admin_client), "shown_state").endswith(shown)


def test_a_container_killed_for_want_of_memory_is_trouble(admin_client: Client, local: Host) -> None:
    make("shop:web", state="stopped", exit_code=137, oom_killed=True)
    assert 'class="state level-down" title="killed for want of memory"' in cell(page(admin_client), "shown_state")


def test_a_container_that_ended_well_is_shown_pale(admin_client: Client, local: Host) -> None:
    make("shop:web", state="stopped", exit_code=0)
    assert 'class="state state-stopped state-done"' in cell(page(admin_client), "shown_state")


@pytest.mark.parametrize(
    ("image", "shown"),
    [
        ("docker.io/library/nginx:1", "library/nginx:1"),
        ("registry.example.org:5000/shop/web:2", "shop/web:2"),
        ("localhost/web:2", "web:2"),
        ("shop/web:2", "shop/web:2"),
        ("sha256:abc", "sha256:abc"),
        ("", "—"),
    ],
)
def test_an_image_is_shown_without_its_registry(admin_client: Client, local: Host, image: str, shown: str) -> None:
    make("shop:web", image_ref=image)
    assert f"<bdi>{shown}</bdi>" in cell(page(admin_client), "image")


def test_details_are_on_the_rows_page(admin_client: Client, fresh_shop: Container) -> None:
    Container.objects.update(state="stopped", exit_code=137, oom_killed=True, restart_count=4)
    shown = html_of(admin_client.get(detail(fresh_shop)))
    assert "137" in shown
    assert "OOM-killed" in shown


def test_a_row_leads_to_its_history(admin_client: Client, fresh_shop: Container) -> None:
    step(fresh_shop, from_state="running", to_state="stopped", exit_code=137, oom_killed=True, cause="it died")
    other = make("blog:web", container_id="b" * 64)
    step(other, from_state="", to_state="running", cause="it began")
    link = re.search(r'href="([^"]*transition[^"]*row[^"]*)"', admin_client.get(detail(fresh_shop)).content.decode())
    page = html_of(admin_client.get(certain(link)[1].replace("&amp;", "&")))
    assert "it died" in page
    assert "OOM" in page
    assert "it began" not in page


def test_the_history_button_of_a_row_leads_there_too(admin_client: Client, fresh_shop: Container) -> None:
    step(fresh_shop, from_state="running", to_state="stopped", cause="it died")
    url = reverse("admin:reconciler_container_history", args=[quote(fresh_shop.pk)])
    assert "it died" in html_of(admin_client.get(url, follow=True))


def test_links_lead_to_rows_and_workloads_whose_ids_look_escaped(admin_client: Client, local: Host) -> None:
    Workload.objects.create(id="node_24", ref_id="node_24")
    step(make("node_24:web"), to_state="running")
    for shown, column in (
        (page(admin_client), "shown_workload"),
        (html_of(admin_client.get(TRANSITIONS)), "shown_row"),
    ):
        link = certain(re.search(r'href="([^"]+)"', cell(shown, column)))[1]
        assert admin_client.get(link).status_code == 200


@pytest.mark.parametrize("term", ["shop:w", "c0ffee", "died"])
def test_history_is_searched_even_when_its_row_is_gone(admin_client: Client, fresh_shop: Container, term: str) -> None:
    step(fresh_shop, from_state="running", to_state="stopped", cause="it died")
    Container.objects.all().delete()
    assert "it died" in html_of(admin_client.get(TRANSITIONS, {"q": term}))
    assert "it died" not in html_of(admin_client.get(TRANSITIONS, {"q": "nothing"}))


def test_history_shows_changes_of_health_and_leaves_out_what_is_no_step(
    admin_client: Client, fresh_shop: Container
) -> None:
    sick = {"from_state": "running", "to_state": "running", "from_health": "healthy", "to_health": "unhealthy"}
    step(fresh_shop, **sick, cause="it fell ill")
    step(fresh_shop, to_state="running", is_step=False, cause="another port")
    step(fresh_shop, row_id="", kind="host", to_state="failing", cause="cannot be reached")
    shown = html_of(admin_client.get(TRANSITIONS))
    assert ">! unhealthy</span>" in cell(shown, "change")
    assert ("another port" in shown, "cannot be reached" in shown) == (False, False)


def test_history_cannot_be_changed(admin_client: Client, fresh_shop: Container) -> None:
    made = step(fresh_shop, from_state="running", to_state="stopped")
    assert admin_client.post(reverse("admin:reconciler_transition_delete", args=[made.pk])).status_code == 403
    assert admin_client.get(reverse("admin:reconciler_transition_add")).status_code == 403


def test_history_costs_a_constant_number_of_queries(admin_client: Client, fresh_shop: Container) -> None:
    counts = []
    for number in range(40):
        step(fresh_shop, from_state="running", to_state="stopped")
        if number in (0, 39):
            with CaptureQueriesContext(connection) as queries:
                admin_client.get(TRANSITIONS)
            counts.append(len(queries))
    assert counts[0] == counts[1]


def test_a_host_that_is_held_or_fails_says_so(admin_client: Client, local: Host) -> None:
    Host.objects.update(last_success_at=timezone.now(), held_since=timezone.now(), held_reason="9 of 9 rows")
    assert "held: 9 of 9 rows" in html_of(admin_client.get(HOSTS))
    Host.objects.update(last_error="hangs", failures=4)
    assert "failing (4×" in html_of(admin_client.get(HOSTS))


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        ({"last_error": "hangs", "failures": 4}, "level-unknown"),
        ({"held_since": timezone.now(), "held_reason": "9 of 9"}, "level-warn"),
        ({"last_success_at": None}, "level-unknown"),
        ({"last_success_at": timezone.now() - timedelta(hours=1)}, "level-unknown"),
    ],
)
def test_the_condition_of_a_host_is_as_bad_in_the_admin_as_on_the_pages(
    admin_client: Client, local: Host, columns: dict[str, Any], kind: str
) -> None:
    Host.objects.update(**({"last_success_at": timezone.now()} | columns))
    assert f'<span class="{kind}">' in cell(html_of(admin_client.get(HOSTS)), "shown_condition")


def test_a_host_s_next_try_is_told_as_a_moment_and_how_far_off_it_is(admin_client: Client, local: Host) -> None:
    Host.objects.update(last_error="hangs", failures=4, retry_at=timezone.now() + timedelta(seconds=90))
    assert re.search(r"UTC</span> <span class=\"quiet\">in (89|90) s", html_of(admin_client.get(host_url())))


def test_a_host_that_cannot_work_is_refused_by_the_form(admin_client: Client, local: Host) -> None:
    form = {"name": "west", "url": "tcp://west:2376", "tls_cert": "/cert.pem", "enabled": "on"}
    answer = admin_client.post(reverse("admin:reconciler_host_add"), form)
    assert "go together" in html_of(answer)
    assert not Host.objects.filter(name="west").exists()


def test_host_local_is_not_deleted_and_others_are(admin_client: Client, local: Host) -> None:
    west = Host.objects.create(name="west")
    for host in (local, west):
        admin_client.post(reverse("admin:reconciler_host_delete", args=[host.name]), {"post": "yes"})
    assert list(Host.objects.values_list("name", flat=True)) == ["local"]


# Who may only view hosts

ANSWER = "answered HTTP 500: /etc/shadow of the daemon"


@pytest.fixture
def told(local: Host) -> None:
    """A host about which much is known."""
    files = {"tls_ca": "/secret/ca.pem", "tls_cert": "/secret/cert.pem", "tls_key": "/secret/key.pem"}
    held = {"held_since": timezone.now(), "held_reason": f"the Engine does not say who it is: it {ANSWER}"}
    Host.objects.filter(name="local").update(last_error=ANSWER, failures=4, url="tcp://west:2376", **files, **held)


def pages_of_hosts(client: Client) -> list[str]:
    return [html_of(client.get(address)) for address in (HOSTS, host_url())]


@pytest.mark.parametrize("is_failing", [True, False])
def test_who_may_only_view_sees_that_a_host_fails_and_nothing_of_files_and_answers(
    staff: LogIn, told: None, is_failing: bool
) -> None:
    if not is_failing:
        Host.objects.update(last_error="")
    for html in pages_of_hosts(staff("view_host")):
        assert ("failing" if is_failing else "held") in html
        for hidden in ("/secret", "shadow", "HTTP 500"):
            assert hidden not in html


def test_who_may_change_hosts_sees_what_was_said(staff: LogIn, told: None) -> None:
    for html in pages_of_hosts(staff("view_host", "change_host")):
        assert ANSWER in html


def test_who_may_add_hosts_gets_the_whole_form(staff: LogIn, local: Host) -> None:
    assert 'name="tls_ca"' in html_of(staff("view_host", "add_host").get(reverse("admin:reconciler_host_add")))


@pytest.mark.parametrize("field", ["last_error", "held_reason", "tls_ca", "url"])
def test_who_may_only_view_cannot_ask_for_what_is_not_shown(staff: LogIn, told: None, field: str) -> None:
    """An answer to a filter would tell a hidden text letter by letter."""
    client = staff("view_host")
    assert client.get(HOSTS, {f"{field}__startswith": "a"}).status_code == 400
    assert client.get(HOSTS, {"enabled__exact": "1"}).context["cl"].result_count == 1
    assert client.get(HOSTS, {"q": "2376"}).context["cl"].result_count == 0


def test_no_password_of_a_url_that_a_program_wrote_is_on_any_page(admin_client: Client, local: Host) -> None:
    Host.objects.update(url="tcp://ops:hunter2@west:2375")
    for html in pages_of_hosts(admin_client):
        assert "hunter2" not in html
        assert "***@west:2375" in html


def test_saving_a_host_whose_url_cannot_be_used_asks_for_another_one(admin_client: Client, local: Host) -> None:
    Host.objects.update(url="tcp://ops:hunter2@west:2375")
    answer = admin_client.post(host_url(), {"url": "tcp://***@west:2375", "enabled": "on"})
    assert "is not usable" in html_of(answer)
