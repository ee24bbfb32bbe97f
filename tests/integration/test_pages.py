"""The pages as whoever is logged in gets them: what they say, whom they let in, and what they cost."""

import html
import re
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import Group, User
from django.db.models import JSONField, Value
from django.test import Client
from django.utils import timezone

from reconciler.api import begin_deployment
from reconciler.conf import lock_of
from reconciler.models import Container, Deployment, Host, Outage, OutageKind, Transition, Workload
from reconciler.models.host import MOST_SKIPS_KEPT
from tests.integration.test_queries import recorded
from tests.pages import HOSTILE, make_row, text_of
from web.pages.live import RENDERINGS
from web.version import VERSION

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("answering")]
PAGES = ["/", "/containers", "/containers/shop:web", "/workloads/shop", "/hosts/local", "/changes"]


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    RENDERINGS.forget()


@pytest.fixture
def viewer(client: Client) -> Client:
    """Somebody who may look, and do nothing else."""
    user = User.objects.create_user("vera")
    user.groups.add(Group.objects.get(name="viewer"))
    client.force_login(user)
    return client


@pytest.fixture
def operator() -> Client:
    user = User.objects.create_user("olga")
    user.groups.add(Group.objects.get(name="operator"))
    client = Client()
    client.force_login(user)
    return client


def shown(client: Client, path: str = "/") -> str:
    """Return the text of a page."""
    answer = client.get(path)
    assert answer.status_code == 200
    return text_of(answer.content)


def shown_html(client: Client, path: str = "/") -> str:
    """Return a page as it is sent."""
    return client.get(path).content.decode()


def step(row: Container, **columns: Any) -> Transition:
    given = {"from_state": "", "to_state": row.state, "container_id": row.container_id, "at": timezone.now()}
    return Transition.objects.create(row=row, host=row.host, **(given | columns))


@pytest.mark.parametrize("path", PAGES)
def test_a_stranger_is_asked_to_log_in_first(client: Client, path: str) -> None:
    make_row("shop:web")
    answer = client.get(path)
    assert (answer.status_code, answer["Location"]) == (302, f"/login?next={quote(path)}")


@pytest.mark.parametrize("path", ["/hosts/nowhere", "/containers/nothing", "/workloads/nothing"])
def test_a_stranger_does_not_learn_what_there_is(client: Client, path: str) -> None:
    assert client.get(path).status_code == 302


@pytest.mark.parametrize("path", PAGES)
def test_whoever_is_logged_in_sees_every_page(viewer: Client, path: str) -> None:
    make_row("shop:web")
    assert viewer.get(path).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/hosts/nowhere", "/containers/nothing", "/workloads/nothing", "/containers/a%00b", "/workloads/a%00b"],
)
def test_what_there_is_not_has_no_page(viewer: Client, path: str) -> None:
    assert viewer.get(path).status_code == 404


def test_somebody_without_a_role_sees_nothing(client: Client) -> None:
    client.force_login(User.objects.create_user("nobody"))
    assert [client.get(path).status_code for path in PAGES if "shop" not in path] == [403] * 4


def test_who_logs_in_comes_to_the_first_page(client: Client) -> None:
    User.objects.create_user("vera", password="correct horse battery")
    answer = client.post("/login", {"username": "vera", "password": "correct horse battery"})
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_a_wrong_password_is_told_in_words(client: Client) -> None:
    answer = client.post("/login", {"username": "vera", "password": "wrong"})
    assert "This name and this password do not fit together." in text_of(answer.content)


def test_who_logs_out_has_to_log_in_again(viewer: Client) -> None:
    assert viewer.post("/logout")["Location"] == "/login"
    assert viewer.get("/").status_code == 302


def test_with_nothing_wrong_the_first_page_says_so_and_lists_nothing_wrong(viewer: Client) -> None:
    make_row("shop:web")
    make_row("shop:migrate", "stopped", exit_code=0)
    text = shown(viewer)
    assert "All 2 containers on 1 host are as they should be." in text
    assert "What is wrong" not in text


def test_the_title_and_the_icon_say_the_verdict(viewer: Client) -> None:
    make_row("shop:web", "missing")
    page = viewer.get("/").content.decode()
    assert "<title>1 wrong · Tinyforge index</title>" in page
    assert "icon-down.svg" in page


def test_what_is_wrong_tells_since_when_why_and_what_to_do(viewer: Client) -> None:
    row = make_row("shop:web", "stopped", exit_code=137)
    step(row, from_state="running", cause="exited", exit_code=137, at=timezone.now() - timedelta(minutes=8))
    text = shown(viewer)
    assert "shop:web has ended with an error" in text
    assert re.search(r"\(8.minutes ago\): exit 137 \(killed\); exited", text)
    assert f"docker logs --tail 50 {row.container_id[:12]}" in text


def test_what_crashes_in_a_loop_tells_its_last_exit_code(viewer: Client) -> None:
    row = make_row("shop:web", "running")
    for exit_code in (1, 7):
        step(row, to_state="restarting", from_state="running", exit_code=exit_code)
        step(row, restarts=3)
    assert "it ended with exit 7" in shown(viewer)


def test_a_row_that_was_restarted_lately_has_changed_lately(viewer: Client) -> None:
    row = make_row("shop:web")
    step(row, to_state="running", at=timezone.now() - timedelta(days=3))
    assert "3 days ago" in shown(viewer, "/containers")
    RENDERINGS.forget()
    step(row, from_state="running", to_state="running", restarts=1, at=timezone.now() - timedelta(minutes=2, seconds=5))
    assert "2 minutes ago" in shown(viewer, "/containers")


def test_a_host_that_cannot_be_seen_is_one_line(viewer: Client) -> None:
    for number in range(5):
        make_row(f"shop:web{number}")
    Host.objects.update(last_error="refused by secret.example", failures=3)
    text = shown(viewer)
    assert "Host local cannot be seen ◌ 5 rows not known" in text
    assert "1 thing wants you. 5 are not known." in text
    assert "last known: 5 running" in text
    assert "secret.example" not in text


def test_who_may_change_hosts_is_told_what_the_engine_said(admin_client: Client) -> None:
    Host.objects.update(last_error="refused by secret.example", failures=3)
    assert "secret.example" in shown(admin_client)
    assert "secret.example" in shown(admin_client, "/hosts/local")


def test_what_one_reader_may_see_is_not_shown_to_another(admin_client: Client, viewer: Client) -> None:
    Host.objects.update(last_error="refused by secret.example", failures=3)
    shown(admin_client)
    assert "secret.example" not in shown(viewer)
    assert "secret.example" not in shown(viewer, "/hosts/local")


def test_the_tiles_of_hosts_stand_worst_first_and_tell_counts_freshness_and_who_watches(viewer: Client) -> None:
    now = timezone.now()
    make_row("shop:web", "missing")
    Host.objects.update(watching_since=now, watcher_alive_at=now)
    Host.objects.create(name="zoo", last_success_at=now - timedelta(hours=1), last_error="refused", failures=3)
    tiles = [text_of(each) for each in re.findall(r'<li class="host card".*?</li>', shown_html(viewer), re.DOTALL)]
    assert [tile.split()[0] for tile in tiles] == ["zoo", "local"]
    assert tiles[0].endswith("0 rows seen 1 hour agonot watched")
    assert re.search(r"● fresh 1 row, 1 wrong seen \d+ s agowatched$", tiles[1])


def test_the_table_marks_each_container_of_a_workload(viewer: Client) -> None:
    make_row("shop:web", restart_count=2)
    make_row("shop:worker", "restarting")
    page = viewer.get("/").content.decode()
    assert re.findall(r'class="mark (mark-\w+)" href="(.*?)"', page) == [
        ("mark-down", "/containers/shop:worker"),
        ("mark-up", "/containers/shop:web"),
    ]


def test_a_workload_with_many_containers_shows_the_worst_and_how_many_more(viewer: Client) -> None:
    for number in range(30):
        make_row(f"shop:web{number:02}", "missing" if number == 29 else "running")
    page = viewer.get("/").content.decode()
    assert len(re.findall('class="mark ', page)) == 24
    assert "+6" in text_of(page)
    assert '"/containers/shop:web29"' in page


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["Blog", "Shop"]),
        ("?kind=site", ["Blog"]),
        ("?state=missing", ["Shop"]),
        ("?trouble=any", ["Shop"]),
        ("?trouble=nonsense", ["Blog", "Shop"]),
        ("?host=local", ["Blog", "Shop"]),
        ("?host=nowhere", []),
        ("?q=SHOP", ["Shop"]),
        ("?q=app:2", ["Blog"]),
        ("?q=app:2&state=missing", []),
        ("?q=%00", ["Blog", "Shop"]),
        ("?page=99", ["Blog", "Shop"]),
        ("?page=x", ["Blog", "Shop"]),
    ],
)
def test_the_table_holds_what_the_address_asks_for(viewer: Client, query: str, names: list[str]) -> None:
    make_row("shop:web", "missing")
    make_row("blog:site", image_ref="app:2")
    Workload.objects.filter(id="blog").update(kind="site")
    page = viewer.get(f"/{query}").content.decode()
    assert re.findall(r'<tr id="workload:.*?<bdi>(.*?)</bdi>', page, re.DOTALL) == names


def test_a_long_table_is_shown_in_parts(viewer: Client) -> None:
    Workload.objects.bulk_create(Workload(id=f"w{number:03}", ref_id=f"w{number:03}") for number in range(120))
    first, second, third = (viewer.get(f"/?page={page}").content.decode() for page in (1, 2, 3))
    assert [len(re.findall('<tr id="workload:', page)) for page in (first, second, third)] == [50, 50, 20]
    assert 'rel="next" href="?page=2#workloads"' in first
    assert 'rel="prev"' not in first
    assert "101–120 of 120" in text_of(third)


def test_a_deploy_in_flight_is_shown_and_an_old_one_marked(viewer: Client) -> None:
    make_row("shop:web", "", container_id="")
    make_row("shop:old", "", container_id="")
    Container.objects.filter(id="shop:old").update(created_at=timezone.now() - timedelta(hours=1))
    text = shown(viewer)
    assert "2 are being deployed" in text
    assert re.search(r"shop:old … pending ! old 1.hour ago", text)


def test_the_latest_changes_tell_from_what_to_what_and_why(viewer: Client) -> None:
    step(make_row("shop:web"), from_state="stopped", cause="started", trigger="event")
    text = shown(viewer)
    assert re.search(r"shop:web ■ stopped → ● running \d+ s ago started on local \(event\)", text)


def test_the_page_of_a_container_tells_every_step_of_its_history(viewer: Client) -> None:
    row = make_row("shop:web", "stopped", exit_code=1, image_ref="app:2")
    step(row, to_state="running", cause="seen first")
    step(row, from_state="running", exit_code=1, cause="exited")
    text = shown(viewer, "/containers/shop:web")
    assert "2 steps" in text
    assert text.index("exited on local") < text.index("seen first on local")
    assert "app:2" in text


def test_a_row_that_has_ended_has_its_page_as_long_as_its_history(viewer: Client) -> None:
    row = make_row("shop:web")
    step(row, from_state="running", to_state="gone", cause="deleted")
    row.delete()
    text = shown(viewer, "/containers/shop:web")
    assert "This row is in the index no more." in text
    assert "deleted on local" in text


def test_the_page_of_a_workload_that_is_gone_shows_its_orphans(viewer: Client) -> None:
    make_row("shop:web", has_workload=False)
    text = shown(viewer, "/workloads/shop")
    assert text.count("shop:web") >= 1
    assert "gone" in text


def test_a_workload_is_as_bad_as_its_worst_container_whichever_part_of_the_list_is_shown(viewer: Client) -> None:
    for number in range(55):
        make_row(f"shop:r{number:02}", "missing" if number < 3 else "running")
    for path in ("/workloads/shop", "/workloads/shop?page=2", "/workloads/shop?state=running"):
        told = viewer.get(path, headers={"Accept": "application/json"}).json()
        assert (told["level"], told["says"]) == ("down", "Shop: 55 containers, 3 of these in trouble."), path


@pytest.mark.parametrize("broken", [None, 5, "text", {}, [1], [{"name": 3}]], ids=str)
def test_the_page_of_a_host_is_there_although_somebody_has_written_what_no_pass_writes(
    viewer: Client, broken: object
) -> None:
    Host.objects.update(skips=Value(broken, JSONField()))
    assert "Left alone" not in shown(viewer, "/hosts/local")


def test_a_host_that_leaves_many_alone_tells_the_first_of_them(viewer: Client) -> None:
    skip = {"container_id": "c" * 64, "name": "lost", "reason": "unknown_instance", "detail": "no instance x"}
    Host.objects.update(skips=[skip] * MOST_SKIPS_KEPT)
    assert "Left alone by the last pass the first 50" in shown(viewer, "/hosts/local")


def test_the_page_of_a_host_that_fails_tells_since_when_why_and_what_to_do(
    admin_client: Client, answering: Host
) -> None:
    Host.objects.update(failures=3, last_error="connection refused", last_error_at=timezone.now())
    text = shown(admin_client, "/hosts/local")
    assert "Host local cannot be seen" in text
    assert text.count("connection refused") == 1
    assert "manage.py host check local" in text


def test_the_page_of_a_workload_says_how_its_containers_are(viewer: Client) -> None:
    make_row("shop:web")
    make_row("shop:db", "missing")
    assert "2 containers, 1 of these in trouble." in shown(viewer, "/workloads/shop")


def test_all_changes_of_a_workload_are_those_of_it_alone_its_deploys_too(viewer: Client) -> None:
    for name in ("shop", "shop & sons"):
        row = make_row(f"{name}:web", workload_id=name)
        step(row, workload_id=name, cause=f"container of {name} was made")
    begin_deployment(workload="shop & sons", lasts=timedelta(minutes=5), by="a deployer")
    (address,) = re.findall(r'href="(/changes\?workload=[^"]*)"', shown_html(viewer, "/workloads/shop & sons"))
    text = shown(viewer, html.unescape(address))
    assert "container of shop & sons was made" in text
    assert "… deploying" in text
    assert "container of shop was made" not in text


@pytest.mark.parametrize("path", ["/", "/workloads/shop"])
def test_a_workload_with_a_container_in_trouble_may_be_up_and_its_page_says_why(viewer: Client, path: str) -> None:
    make_row("shop:web")
    assert "A workload is up while one of its containers is." in shown(viewer, path)


def test_the_page_of_a_container_says_nothing_of_when_workloads_are_up(viewer: Client) -> None:
    make_row("shop:web")
    assert "A workload is up" not in shown(viewer, "/containers/shop:web")


def test_the_first_page_says_whether_workers_and_beat_look_at_every_host(viewer: Client) -> None:
    assert re.search(r"Workers and beatlast look \d+ s ago Watcher", shown(viewer))
    Host.objects.update(last_success_at=timezone.now() - timedelta(hours=1))
    RENDERINGS.forget()
    assert re.search(r"Workers and beatlast look 1.hour ago, 1 host not looked at", shown(viewer))


@pytest.mark.usefixtures("valkey")
def test_the_first_page_says_how_the_index_itself_is_doing(viewer: Client) -> None:
    now = timezone.now()
    Host.objects.update(watching_since=now, watcher_alive_at=now, drift_found=7)
    Host.objects.create(name="attic", enabled=False)
    lock_of("local").note_latency(85)
    text = shown(viewer)
    assert re.search(r"seen \d+ s agowatched, p50 85 ms", text)
    for said in ("Watcher1 of 1 host", "Event to row85 ms p50, 85 ms p99", "Drift7", "Offattic", f"Version{VERSION}"):
        assert said in text.replace("\n", " "), said


def test_the_page_of_a_host_tells_when_it_could_not_be_seen(viewer: Client, answering: Host) -> None:
    now = timezone.now()
    Outage.objects.create(
        host=answering, kind=OutageKind.UNREACHABLE, began_at=now, noticed_at=now, ended_at=now, reason="secret"
    )
    text = shown(viewer, "/hosts/local")
    assert "When it could not be seen" in text
    assert OutageKind.UNREACHABLE.label in text
    assert "secret" not in text


def test_the_page_of_a_host_draws_when_it_could_be_seen(viewer: Client, answering: Host) -> None:
    now = timezone.now()
    hours = {"created_at": 48, "began_at": 12, "noticed_at": 12, "ended_at": 6}
    Host.objects.update(created_at=now - timedelta(hours=hours.pop("created_at")))
    times = {name: now - timedelta(hours=hour) for name, hour in hours.items()}
    Outage.objects.create(host=answering, kind=OutageKind.UNREACHABLE, **times)
    page = viewer.get("/hosts/local").content.decode()
    assert "for 6 h" in text_of(page)
    assert page.count('class="timeline"') == 4
    downs = re.findall(r'<rect class="tl-down" x="([\d.]+)" y="0" width="([\d.]+)"', page)
    assert [round(float(number)) for number in downs[0]] == [120, 60]


@pytest.mark.parametrize(
    ("success", "error", "says"),
    [(1, 0, "it answered"), (-2, 1, "it did not answer"), (-2, None, "under way"), (-1, -2, "under way")],
)
def test_the_pages_of_a_host_and_its_rows_tell_what_came_of_the_last_look(
    viewer: Client, success: int, error: int | None, says: str
) -> None:
    make_row("shop:web")
    asked = timezone.now() - timedelta(seconds=5)
    success_at, error_at = (
        None if seconds is None else asked + timedelta(seconds=seconds) for seconds in (success, error)
    )
    Host.objects.update(last_attempt_at=asked, last_success_at=success_at, last_error_at=error_at)
    for path in ("/hosts/local", "/containers/shop:web"):
        assert re.search(rf"Last look( at its host)?[-\d]+ [:\d]+ UTC: {says}", shown(viewer, path)), path


def test_the_page_of_a_container_tells_which_labels_have_led_there(viewer: Client) -> None:
    make_row("shop:web", label_path="workload")
    text = shown(viewer, "/containers/shop:web")
    assert "tinyforge.workload.id=shop names the workload tinyforge.role=web names the role" in text


def test_a_row_that_waits_for_its_container_says_nothing_of_labels(viewer: Client) -> None:
    make_row("shop:web", "", container_id="")
    assert "Why it is here" not in shown(viewer, "/containers/shop:web")


def test_the_page_of_a_host_tells_which_containers_are_left_alone_and_why(viewer: Client) -> None:
    assert "Left alone" not in shown(viewer, "/hosts/local")
    skip = {"container_id": "c" * 64, "name": "<b>lost</b>", "reason": "unknown_instance", "detail": "no instance x"}
    Host.objects.update(skips=[skip])
    RENDERINGS.forget()
    page = viewer.get("/hosts/local").content.decode()
    assert "Left alone by the last pass" in page
    assert (
        "&lt;b&gt;lost&lt;/b&gt;</bdi></th><td><code>unknown_instance</code></td><td><bdi>no instance x</bdi>" in page
    )


def test_only_who_may_ask_for_a_pass_is_offered_to(viewer: Client, operator: Client) -> None:
    assert ["Look now" in shown(each, "/hosts/local") for each in (viewer, operator)] == [False, True]


def test_a_viewer_cannot_ask_for_a_pass(viewer: Client) -> None:
    assert viewer.post("/hosts/local/look").status_code == 403


def test_a_pass_is_asked_for_by_post_alone(operator: Client) -> None:
    assert operator.get("/hosts/local/look").status_code == 405


@pytest.mark.usefixtures("valkey")
def test_an_operator_asks_for_a_pass_and_comes_back(operator: Client) -> None:
    answer = operator.post("/hosts/local/look", {"back": "/containers/shop:web"})
    assert answer["Location"] == "/containers/shop:web"
    assert "A pass over host local was asked for." in shown(operator)


@pytest.mark.parametrize("back", ["//evil.example/", "https://evil.example/", "javascript:alert(1)", ""])
@pytest.mark.usefixtures("valkey")
def test_asking_for_a_pass_leads_nowhere_else(operator: Client, back: str) -> None:
    assert operator.post("/hosts/local/look", {"back": back})["Location"] == "/"


def test_a_host_that_is_off_is_not_asked_for(operator: Client) -> None:
    Host.objects.update(enabled=False)
    operator.post("/hosts/local/look")
    assert "Host local is off" in shown(operator)


def test_links_into_the_admin_are_for_those_who_may_enter_it(admin_client: Client, viewer: Client) -> None:
    make_row("shop:web")
    page = "/containers/shop:web"
    assert ["/admin/" in each.get(page).content.decode() for each in (admin_client, viewer)] == [True, False]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("path", PAGES[:2] + PAGES[-2:])
def test_hostile_names_are_shown_as_text(viewer: Client, path: str, text: str) -> None:
    row = make_row("shop:web", "missing", image_ref=text[:255], role=text[:100])
    Workload.objects.update(name=text[:255])
    step(row, cause=text)
    page = viewer.get(path).content.decode()
    assert "<script>alert" not in page
    assert "<img src=x" not in page


@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_nothing_from_elsewhere_and_has_no_style_or_script_in_it(viewer: Client, path: str) -> None:
    make_row("shop:web", "missing")
    page = viewer.get(path).content.decode()
    assert re.findall(r'(?:src|href|action)="(?!/|\?|#)([^"]+)"', page) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=|<script>", page) == []


def test_a_deploy_is_marked_on_the_timelines_of_its_workload(viewer: Client) -> None:
    make_row("shop:web")
    now = timezone.now()
    Deployment.objects.create(workload_id="shop", began_at=now, ends_at=now + timedelta(minutes=5))
    Deployment.objects.create(row_id="shop:web", began_at=now, ends_at=now + timedelta(minutes=5))
    for path, spans in {"/": 1, "/workloads/shop": 4, "/containers/shop:web": 4}.items():
        assert viewer.get(path).content.decode().count('class="tl-deploy"') == 2 * spans
    text = shown(viewer)
    assert "shop … deploying" in text
    assert "1 is being deployed" in text


STATES = ("running", "missing", "missing")


def fill(size: int) -> None:
    """Make so many workloads with a row each, on ten hosts; two in three are missing, and each has changed."""
    now = timezone.now()
    Host.objects.bulk_create([Host(name=f"h{n}", last_success_at=now) for n in range(10)], ignore_conflicts=True)
    names = [f"w{number}" for number in range(size)]
    Workload.objects.bulk_create(Workload(id=name, ref_id=name) for name in names)
    given: dict[str, Any] = {"container_id": "c" * 64, "restart_count": 1}
    rows = [
        Container(id=f"{name}:web", workload_id=name, host_id=f"h{n % 10}", state=STATES[n % 3], **given)
        for n, name in enumerate(names)
    ]
    Container.objects.bulk_create(rows)
    Transition.objects.bulk_create(
        Transition(row=row, host_id=str(row.host_id), from_state="running", to_state=row.state, at=now) for row in rows
    )


@pytest.mark.parametrize("path", PAGES)
def test_a_page_takes_as_many_queries_for_many_rows_as_for_few(viewer: Client, path: str) -> None:
    """I11: the same holds for pages."""
    counts = []
    for size in (3, 300):
        fill(size)
        step(make_row("shop:web", "missing"), from_state="running")
        RENDERINGS.forget()
        with recorded() as statements:
            viewer.get(path)
        counts.append(len(statements))
        Container.objects.all().delete()
        Workload.objects.all().delete()
    assert counts[0] == counts[1] <= 30
