"""The feed as a stream of events: what browsers, curl and programs follow."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import OperationalError
from django.test import Client

from reconciler.models import Feed, Host, Transition
from tests.api import ROOT, ApiClient, followers
from tests.integration.test_api_changes import RUNNING, STOPPED, look
from tests.waiting import eventually, within
from web.api import streams
from web.api.change_types import ChangePage
from web.api.events import Events
from web.api.feed import page_after
from web.models import Token
from web.newest import NEWEST, Newest

pytestmark = pytest.mark.django_db(transaction=True)


class Event(NamedTuple):
    """What a stream tells."""

    name: str
    id: str
    data: dict[str, Any]


def events_of(answer: Any) -> Iterator[Event]:
    """Yield the events of a stream."""
    for chunk in answer.streaming_content:
        for lines in chunk.decode().split("\n\n"):
            told = dict(line.split(": ", 1) for line in lines.splitlines())
            if "event" in told:
                yield Event(told["event"], told["id"], json.loads(told["data"]))


class Follower:
    """Somebody who follows a stream."""

    def __init__(self, api: ApiClient, last_event: str = "", **query: str) -> None:
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_event} if last_event else {})
        self.answer = api.ask("GET", "changes", query=query, headers=headers)
        self._events = events_of(self.answer) if self.answer.streaming else iter(())

    def next(self) -> Event:
        """Return the next event."""
        return next(self._events)

    def next_change(self) -> tuple[str, str]:
        """Return which row changes next, and to which state."""
        found = next(event for event in self._events if event.name == "change")
        return found.data["row"], found.data["to_state"]

    def names(self) -> list[str]:
        """Return the names of all events until the stream ends."""
        return [event.name for event in self._events]

    def leave(self) -> None:
        """Hang up."""
        self.answer.close()


@pytest.fixture
def api(answering: Host) -> Iterator[ApiClient]:
    """A client that may read; all its streams are closed when the test is over."""
    with followers():
        yield ApiClient()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let streams end soon, and bookmarks come often."""
    monkeypatch.setattr(streams, "BOOKMARK_SECONDS", 0.1)
    monkeypatch.setattr(streams, "STREAM_SECONDS", 0.5)


def cursor_now(api: ApiClient) -> str:
    return str(api.get("changes").json()["cursor"])


def test_a_stream_tells_what_has_changed_and_then_what_changes(api: ApiClient) -> None:
    """I16."""
    cursor = cursor_now(api)
    look(RUNNING)
    follower = Follower(api, after=cursor)
    assert follower.next_change() == ("shop:web", "running")
    look(STOPPED)
    with within(10):
        assert follower.next_change() == ("shop:web", "stopped")
    follower.leave()


def test_a_stream_tells_many_changes_part_by_part(api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """I16."""
    monkeypatch.setattr(streams, "MOST_ITEMS", 2)
    cursor = cursor_now(api)
    for _ in range(3):
        look(RUNNING)
        look(STOPPED)
    follower = Follower(api, after=cursor)
    monkeypatch.setattr(NEWEST, "wait_for_another", lambda *_: pytest.fail("it waits, although it has not told all"))
    told = [follower.next_change()[1] for _ in range(6)]
    assert told == ["running", "stopped"] * 3
    follower.leave()


def test_a_stream_reads_once_for_what_it_tells(api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    reads, entries = [], Newest()
    monkeypatch.setattr(streams, "NEWEST", entries)

    def read(feed: Feed, cursor: str, limit: int) -> ChangePage:
        reads.append(cursor)
        return page_after(feed, cursor, limit)

    monkeypatch.setattr(streams, "page_after", read)
    cursor = cursor_now(api)
    look(RUNNING)
    entries._look()
    follower = Follower(api, after=cursor)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(follower.names)
        eventually(lambda: entries._waiting)
        entries.is_ending = lambda: True
    assert reads == [cursor]
    follower.leave()
    eventually(lambda: not entries._runs)


def test_a_stream_begins_with_the_place_it_has_come_to(api: ApiClient) -> None:
    cursor = cursor_now(api)
    follower = Follower(api)
    assert follower.next()[:2] == ("bookmark", cursor)
    follower.leave()


def test_an_event_has_the_cursor_after_it_as_its_id(api: ApiClient) -> None:
    cursor = cursor_now(api)
    look(RUNNING)
    follower = Follower(api, after=cursor)
    event = follower.next()
    follower.leave()
    assert event.id == event.data["cursor"] == cursor_now(api)


def test_who_comes_again_goes_on_after_the_last_event_that_he_had(api: ApiClient) -> None:
    """I16: a browser comes again with the address that it had first."""
    cursor = cursor_now(api)
    look(RUNNING)
    follower = Follower(api, after=cursor)
    last = follower.next().id
    follower.leave()
    look(STOPPED)
    again = Follower(api, last, after=cursor)
    assert again.next_change() == ("shop:web", "stopped")
    again.leave()


def test_while_nothing_changes_bookmarks_show_that_the_stream_lives(api: ApiClient, quick: None) -> None:
    """I17."""
    follower = Follower(api)
    assert [follower.next().name for _ in range(3)] == ["bookmark"] * 3
    follower.leave()


def test_a_stream_ends_by_itself(api: ApiClient, quick: None) -> None:
    """I19."""
    follower = Follower(api)
    with within(5):
        assert set(follower.names()) == {"bookmark"}
    follower.leave()


def test_a_stream_ends_when_its_process_is_told_to_end(api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    follower = Follower(api)
    follower.next()
    monkeypatch.setattr(NEWEST, "is_ending", lambda: True)
    with within(5):
        assert follower.names() == []
    follower.leave()


def test_a_stream_ends_soon_after_its_token_is_removed(api: ApiClient, quick: None) -> None:
    follower = Follower(api)
    follower.next()
    Token.objects.all().delete()
    told = list(follower.names())
    assert told[-1:] == ["problem"]
    follower.leave()


@pytest.mark.parametrize("removes", [lambda: User.objects.update(is_active=False), Session.objects.all().delete])
def test_a_browser_s_stream_ends_soon_after_its_person_may_not_read_any_longer(
    answering: Host, quick: None, admin_client: Client, removes: Callable[[], object]
) -> None:
    with followers():
        answer: Any = admin_client.get(f"{ROOT}changes", headers={"Accept": "text/event-stream"})
        events = events_of(answer)
        assert next(events).name == "bookmark"
        removes()
        assert [event.name for event in events][-1:] == ["problem"]
        answer.close()


def test_a_stream_of_changes_that_are_not_known_any_more_does_not_begin(api: ApiClient) -> None:
    cursor = cursor_now(api)
    look(RUNNING)
    Feed.objects.update(pruned_to=Transition.objects.latest("id").pk)
    assert Follower(api, after=cursor).answer.status_code == 410


def test_a_stream_that_loses_its_place_says_so_and_ends(api: ApiClient) -> None:
    follower = Follower(api)
    follower.next()
    Feed.objects.update(pruned_to=1_000_000)
    look(RUNNING)
    event = follower.next()
    assert (event.name, event.data["status"], follower.names()) == ("problem", 410, [])
    follower.leave()


def test_a_stream_ends_when_the_database_does_not_answer(api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OperationalError("gone")

    follower = Follower(api)
    follower.next()
    monkeypatch.setattr(Feed, "changes_after", fail)
    look(RUNNING)
    assert follower.names() == []
    follower.leave()


def test_a_stream_beyond_the_bound_is_refused_until_another_ends(api: ApiClient, settings: Any) -> None:
    """I19."""
    settings.FOLLOWERS_MOST = 1
    first = Follower(api)
    refused = Follower(api).answer
    assert (refused.status_code, refused["Retry-After"]) == (503, "5")
    first.leave()
    second = Follower(api)
    assert second.next().name == "bookmark"
    second.leave()


def test_a_stream_that_nobody_has_read_gives_its_place_back(api: ApiClient) -> None:
    """I19: the test's client checks it at the end."""
    Follower(api).leave()


def test_what_is_done_at_the_end_is_done_when_nothing_was_read() -> None:
    ended: list[bool] = []
    Events((b"" for _ in range(1)), lambda: ended.append(True)).close()
    assert ended == [True]


def test_proxies_hold_nothing_of_a_stream_back(api: ApiClient) -> None:
    follower = Follower(api)
    assert (follower.answer["X-Accel-Buffering"], follower.answer["Cache-Control"]) == ("no", "private, no-cache")
    follower.leave()


def test_a_request_for_the_head_alone_is_no_stream(api: ApiClient) -> None:
    answer = api.ask("HEAD", "changes", headers={"Accept": "text/event-stream"})
    assert (answer.streaming, answer["Content-Type"]) == (False, "application/json")


def test_strangers_follow_nothing(client: Client, local: Host) -> None:
    assert client.get(f"{ROOT}changes", headers={"Accept": "text/event-stream"}).status_code == 401
