"""Long lists and long histories: what is shown is right, and what it costs does not grow with what is not shown."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from reconciler.models import Container, Host, Transition, Trouble
from reconciler.models.trouble import trouble_condition
from reconciler.status import statuses
from tests.builders import cid
from tests.counted import forget_what_was_counted
from tests.integration.test_queries import recorded
from tests.pages import make_row
from web.pages.changes import PAGE_SIZE
from web.pages.live import RENDERINGS

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("answering")]
CONTAINERS = reverse("admin:reconciler_container_changelist")
HISTORY = reverse("admin:reconciler_transition_changelist")


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    RENDERINGS.forget()


def many_rows(count: int) -> None:
    Container.objects.bulk_create(
        Container(id=f"shop:{number:03}", workload_id="shop", container_id=cid(str(number)), state="running")
        for number in range(count)
    )


def many_steps(count: int, cause: str = "seen first") -> None:
    Transition.objects.bulk_create(
        Transition(row_id=f"shop:{n:03}", host_id="local", to_state="running", at=timezone.now(), cause=f"{cause} {n}")
        for n in range(count)
    )


def page_of(client: Client, path: str, **query: str | int) -> str:
    answer = client.get(path, query)
    assert answer.status_code == 200
    return answer.content.decode()


def rows_in(page: str) -> list[str]:
    return re.findall(r"container/shop_3A(\d+)/change", page)


@pytest.mark.usefixtures("valkey")
def test_what_is_counted_of_each_host_is_what_is_told_of_its_rows() -> None:
    """I17."""
    now = timezone.now()
    successes = {"fresh": now, "stale": now - timedelta(days=1), "new": None, "ahead": now + timedelta(days=1)}
    for name, success in successes.items():
        for error in ("", "refused"):
            host = Host.objects.create(name=f"{name}{len(error)}", last_success_at=success, last_error=error)
            for state in ("running", "missing", ""):
                for container_id in ("", cid(state)):
                    row_id = f"{host.name}:{state}{len(container_id)}"
                    Container.objects.create(
                        id=row_id, workload_id="shop", host=host, state=state, container_id=container_id
                    )
    for status in statuses(now):
        told: dict[str, int] = {}
        for row in Container.objects.on(status.host).with_effective_state(now):
            effective = row.effective_state or "pending"  # type: ignore[attr-defined]
            told[effective] = told.get(effective, 0) + 1
        assert (status.containers, sum(status.last_known.values())) == (told, told.get("unknown", 0)), status.host


@pytest.mark.parametrize(("page", "first", "last"), [(1, 0, 99), (2, 100, 199), (3, 200, 249)])
def test_each_page_of_the_admins_list_has_its_rows(admin_client: Client, page: int, first: int, last: int) -> None:
    many_rows(250)
    shown = rows_in(page_of(admin_client, CONTAINERS, p=page))
    assert sorted(set(shown)) == [f"{number:03}" for number in range(first, last + 1)]


@pytest.mark.parametrize("path", [CONTAINERS, HISTORY])
def test_of_rows_that_a_page_skips_only_the_keys_are_read(admin_client: Client, path: str) -> None:
    many_rows(250)
    many_steps(250)
    with recorded() as statements:
        page_of(admin_client, path, p=2)
    (skipping,) = (sql for sql in statements if "OFFSET" in sql)
    assert re.match(r'SELECT "reconciler_\w+"."id" AS "pk" FROM', skipping)


@pytest.mark.parametrize("size", [10, 300])
def test_the_admins_list_costs_as_many_queries_however_long_it_is(admin_client: Client, size: int) -> None:
    """I11."""
    many_rows(size)
    Host.objects.bulk_create(Host(name=f"h{number}") for number in range(size))
    with recorded() as statements:
        page_of(admin_client, CONTAINERS, q="shop")
    assert len(statements) <= 7


def test_the_admins_filter_by_host_offers_the_hosts_that_have_rows(admin_client: Client) -> None:
    for name in ("empty", "north"):
        Host.objects.create(name=name)
    many_rows(1)
    Container.objects.create(id="shop:001", workload_id="shop", host_id="north")
    offered = re.findall(r"\?host__name__exact=(\w+)", page_of(admin_client, CONTAINERS))
    assert sorted(set(offered)) == ["local", "north"]


def test_the_search_of_history_looks_at_the_newest_that_the_filters_let_through(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.admin.transitions.MOST_SEARCHED", 2)
    many_steps(3)
    Transition.objects.filter(row_id="shop:002").update(to_state="stopped")
    assert rows_in(page_of(admin_client, HISTORY, q="first")) == ["002", "001"]
    assert rows_in(page_of(admin_client, HISTORY, q="first", to_state__exact="running")) == ["001", "000"]


@pytest.mark.parametrize(("term", "found"), [('"first 1"', ["001"]), ("SEEN 1", ["001"]), ("1 nowhere", [])])
def test_the_search_of_history_finds_steps_that_hold_every_word(
    admin_client: Client, term: str, found: list[str]
) -> None:
    many_steps(3)
    assert rows_in(page_of(admin_client, HISTORY, q=term)) == found


def changes_in(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'id="change:(\d+)"', page)]


def walk(client: Client, query: str) -> list[int]:
    """Return the changes of a page, and of all that it leads to."""
    found: list[int] = []
    while query:
        page = page_of(client, f"/changes{query.replace('&amp;', '&')}")
        found += changes_in(page)
        older = re.search(r'rel="next" href="([^"]*)"', page)
        query = older[1] if older else ""
    return found


@pytest.mark.parametrize(
    "columns", [{}, {"host_id": "north"}, {"to_state": "stopped"}, {"cause": "rare"}, {"row_id": "rare:web"}], ids=str
)
def test_the_changes_page_by_page_are_all_that_are_wanted_the_newest_first(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, columns: dict[str, str]
) -> None:
    monkeypatch.setattr("web.pages.changes.MOST_SEARCHED", 49)
    Host.objects.create(name="north")
    many_steps(2 * PAGE_SIZE + 50)
    rare = list(Transition.objects.order_by("id").values_list("id", flat=True)[::50])
    Transition.objects.filter(id__in=rare).update(**columns)
    wanted = {"host_id": "?host=north", "to_state": "?state=stopped", "cause": "?q=rare", "row_id": "?q=RARE:w"}
    query = wanted[next(iter(columns))] if columns else "?"
    expected = rare if columns else Transition.objects.values_list("id", flat=True)
    assert walk(admin_client, query) == sorted(expected, reverse=True)


def test_a_search_of_changes_that_finds_little_says_how_far_it_has_looked_back(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.pages.changes.MOST_SEARCHED", 2)
    many_steps(3)
    assert "looked back to" in page_of(admin_client, "/changes", q="nowhere")
    assert "looked back to" not in page_of(admin_client, "/changes")


@pytest.mark.parametrize("before", ["x", "-1", "9" * 30, ""])
def test_a_place_among_the_changes_that_is_none_shows_the_newest(admin_client: Client, before: str) -> None:
    many_steps(1)
    assert len(changes_in(page_of(admin_client, "/changes", before=before))) == 1


def plan_of(*, looping: bool) -> str:
    """Return how the database goes about it, if it may not read a whole table although this one is small."""
    forget_what_was_counted()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # with so few rows any other plan would be as cheap
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
    if looping:
        return Container.objects.filter(trouble_condition(Trouble.LOOPING, timezone.now())).order_by().explain()
    return Transition.objects.filter(host="local").order_by("-id")[:30].explain()


def test_restart_loops_are_looked_for_among_the_entries_that_tell_of_restarts() -> None:
    assert "transition_restarts" in plan_of(looping=True)


def test_the_changes_of_a_host_are_found_by_an_index_in_their_order() -> None:
    plan = plan_of(looping=False)
    assert "transition_host_id" in plan
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan


def test_rows_are_searched_alike_in_the_admin_and_on_the_pages(admin_client: Client) -> None:
    make_row("shop:web", image_ref="registry.example/Web:2")
    make_row("blog:site")
    for text in ("SHOP", "web:2", cid("shop:web")[:12], "Shop"):
        assert set(re.findall(r"container/(\w+)_3A\w+/change", page_of(admin_client, CONTAINERS, q=text))) == {"shop"}
        RENDERINGS.forget()
        assert "blog:site" not in page_of(admin_client, "/containers", q=text)
