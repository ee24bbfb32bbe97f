"""Pages in parts: only what has changed is sent, and a rendering is shared for a moment and no longer."""

import re
import time
from datetime import timedelta

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from reconciler.levels import Level
from reconciler.models import Container, Host, Transition
from tests.pages import make_row
from web.pages.live import RENDERINGS, Content, Renderings

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("answering")]
PARTS = {"verdict", "wrong", "hosts", "workloads", "changes", "itself"}


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    RENDERINGS.forget()


def ask(client: Client, tag: str = "", path: str = "/") -> HttpResponse:
    """Ask as the page's script does, with nothing kept from before."""
    RENDERINGS.forget()
    return client.get(path, headers={"Accept": "application/json", "If-None-Match": tag})  # type: ignore[return-value]


def tag_in(client: Client, path: str = "/") -> str:
    """Return the tag that a page was opened with."""
    found = re.search(r'data-etag="(.*?)"', client.get(path).content.decode())
    assert found
    return found[1].replace("&quot;", '"')


def parts(answer: HttpResponse) -> set[str]:
    return set(answer.json()["parts"])  # type: ignore[attr-defined]


def test_who_has_nothing_is_sent_all_parts(admin_client: Client) -> None:
    assert parts(ask(admin_client)) == PARTS


@pytest.mark.parametrize("path", ["/", "/containers", "/containers/shop:web", "/workloads/shop", "/hosts/local"])
def test_a_page_that_has_just_been_opened_is_sent_nothing(admin_client: Client, path: str) -> None:
    make_row("shop:web")
    answer = ask(admin_client, tag_in(admin_client, path), path)
    assert (answer.status_code, answer.content) == (304, b"")


def test_only_the_parts_that_have_changed_are_sent(admin_client: Client) -> None:
    make_row("shop:web")
    tag = tag_in(admin_client)
    Container.objects.update(state="missing")
    assert parts(ask(admin_client, tag)) == {"verdict", "wrong", "hosts", "workloads"}


def test_who_has_a_newer_page_is_not_sent_an_older_one(admin_client: Client) -> None:
    make_row("shop:web")
    newer = f'W/"at:{round((timezone.now() + timedelta(minutes=1)).timestamp() * 1000)},verdict:x"'
    assert ask(admin_client, newer).status_code == 304
    older = newer.replace("at:", "at:1")[:10] + ',verdict:x"'
    assert parts(ask(admin_client, older)) == PARTS


def let_pass(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    later = timezone.now() + timedelta(seconds=seconds)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)


def test_that_time_passes_is_no_change(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    row = make_row("shop:web", "missing")
    Transition.objects.create(row=row, host=row.host, to_state="missing", at=timezone.now() - timedelta(seconds=3))
    tag = tag_in(admin_client)
    let_pass(2, monkeypatch)
    assert ask(admin_client, tag).status_code == 304


def test_a_timeline_that_has_moved_on_is_no_change_until_some_minutes_have_passed(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = make_row("shop:web")
    Transition.objects.create(row=row, host=row.host, to_state="running", at=timezone.now() - timedelta(hours=3))
    monkeypatch.setattr("web.pages.timeline.marker", lambda *_: "1")
    tag = tag_in(admin_client)
    let_pass(60, monkeypatch)
    assert ask(admin_client, tag).status_code == 304
    monkeypatch.setattr("web.pages.timeline.marker", lambda *_: "2")
    assert parts(ask(admin_client, tag)) == {"workloads"}


def test_a_host_that_becomes_stale_changes_the_page_although_nothing_is_in_the_feed(admin_client: Client) -> None:
    make_row("shop:web")
    tag = tag_in(admin_client)
    Host.objects.update(last_success_at=timezone.now() - timedelta(hours=1))
    answer = ask(admin_client, tag).json()  # type: ignore[attr-defined]
    assert (answer["level"], answer["says"]) == ("unknown", "1 thing wants you. 1 is not known.")


def test_a_script_whose_session_has_ended_is_told_so(client: Client) -> None:
    assert ask(client).status_code == 401


def test_each_answer_says_how_old_it_is(admin_client: Client) -> None:
    assert 0 <= int(ask(admin_client)["X-Age-Ms"]) < 60_000


class World:
    """Counts how often it is rendered, and has a feed."""

    def __init__(self) -> None:
        self.rendered = 0
        self.renderings = Renderings()

    def look(self) -> tuple[str, float]:
        rendering, again = self.renderings.get("page", timezone.now(), self._render)
        return rendering.content.title, again

    def _render(self, at: object) -> Content:
        self.rendered += 1
        return Content(title=str(self.rendered), level=Level.WELL, says="", parts={})


def add_an_entry() -> None:
    Transition.objects.create(row_id="shop:web", host_id="local", to_state="running", at=timezone.now())


def test_while_nothing_changes_a_rendering_is_shared() -> None:
    world = World()
    assert [world.look(), world.look()] == [("1", 0.0), ("1", 0.0)]


def test_after_a_change_a_page_that_is_made_quickly_is_made_anew() -> None:
    world = World()
    world.look()
    add_an_entry()
    assert world.look() == ("2", 0.0)


def test_a_page_that_takes_long_is_shown_a_while_longer_and_says_when_to_ask_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("web.pages.live.KEPT_FACTOR", 1e9)
    world = World()
    world.look()
    add_an_entry()
    title, again = world.look()
    assert title == "1"
    assert 0 < again <= 5


def test_while_changes_come_one_after_the_other_a_page_is_made_more_rarely() -> None:
    world, kept = World(), []
    for _ in range(4):
        rendering, _ = world.renderings.get("page", timezone.now(), world._render)
        kept.append(rendering.kept_seconds() / rendering.took)
        time.sleep(rendering.kept_seconds())
        add_an_entry()
    assert kept == pytest.approx([5, 5, 20, 20])


def test_after_some_seconds_a_page_is_made_anew_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.look()
    monkeypatch.setattr("web.pages.live.KEPT_SECONDS", 0.0)
    assert world.look() == ("2", 0.0)


def test_only_so_many_renderings_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.pages.live.MOST_KEPT", 3)
    world = World()
    for number in range(10):
        world.renderings.get(number, timezone.now(), world._render)
    assert len(world.renderings._places) == 3
