"""The feed over HTTP: a list and the changes after its cursor are the truth, told at once to whoever waits (I16)."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from reconciler.api import delete_rows
from reconciler.core.observation import Observation
from reconciler.core.report import Trigger
from reconciler.models import Condition, Feed, Host, Transition
from reconciler.reconcile import reconcile
from tests.api import ApiClient, followers
from tests.builders import FakeEngine, cid, container, workload
from tests.waiting import WAIT_SECONDS, eventually, within
from web.newest import NEWEST

pytestmark = pytest.mark.django_db

WEB = workload("shop", role="web")
RUNNING = container("web", WEB)
STOPPED = container("web", WEB, state="stopped", exit_code=3)


def look(*containers: Observation) -> None:
    report = reconcile(Host.objects.get(name="local"), FakeEngine(list(containers)), trigger=Trigger.EVENT)
    assert report.outcome == "applied"


@pytest.fixture
def api(answering: Host) -> Iterator[ApiClient]:
    with followers():
        yield ApiClient()


def told(api: ApiClient, cursor: str, **query: object) -> list[tuple[str, str]]:
    """Return which rows have changed to which state after a cursor."""
    return [(each["row"], each["to_state"]) for each in api.items("changes", after=cursor, **query)]


# What is told


def test_a_change_says_what_was_and_what_is(api: ApiClient) -> None:
    look(RUNNING)
    cursor = api.get("containers").json()["cursor"]
    look(STOPPED)
    (change,) = api.items("changes", after=cursor)
    assert (change["kind"], change["host"], change["row"]) == ("container", "local", "shop:web")
    assert (change["from_state"], change["to_state"], change["exit_code"]) == ("running", "stopped", 3)
    assert (change["container_id"], change["trigger"]) == (cid("web"), "event")
    assert change["container"]["state"] == "stopped"


def test_a_row_that_begins_was_nothing_before_and_one_that_is_gone_is_nothing_now(api: ApiClient) -> None:
    look(RUNNING)
    delete_rows(["shop:web"], "nobody wants it any more")
    cursor = Feed.of_this_database().cursor(0)
    begun, gone = api.items("changes", after=cursor)
    assert (begun["from_state"], begun["to_state"], begun["container"]) == (None, "running", None)
    assert (gone["from_state"], gone["to_state"], gone["cause"]) == ("running", "gone", "nobody wants it any more")


@pytest.mark.parametrize("path", ["containers", "containers/shop:web", "containers?host=none", "workloads", "hosts"])
def test_whatever_was_read_says_after_which_change(api: ApiClient, path: str) -> None:
    look(RUNNING)
    path, _, query = path.partition("?")
    cursor = api.get(path, **dict([query.split("=")] if query else [])).json()["cursor"]
    assert told(api, cursor) == []
    look(STOPPED)
    assert told(api, cursor) == [("shop:web", "stopped")]


def test_the_feed_is_read_in_pages_that_are_together_the_whole(api: ApiClient) -> None:
    cursor = api.get("changes").json()["cursor"]
    look(*(container(f"c{number}", workload("shop", role=f"r{number}")) for number in range(5)))
    found, pages, after = [], 0, cursor
    while after is not None:
        page = api.get("changes", after=after, limit=2).json()
        found += [change["row"] for change in page["items"]]
        pages, after = pages + 1, page["next"]
    assert (sorted(found), pages) == ([f"shop:r{number}" for number in range(5)], 3)
    assert page["cursor"] == api.get("changes").json()["cursor"]


def test_each_change_is_a_place_to_go_on_from(api: ApiClient) -> None:
    cursor = api.get("changes").json()["cursor"]
    look(RUNNING)
    look(STOPPED)
    first, second = api.items("changes", after=cursor)
    assert told(api, first["cursor"]) == [("shop:web", "stopped")]
    assert told(api, second["cursor"]) == []


def test_without_a_cursor_the_feed_begins_now(api: ApiClient) -> None:
    look(RUNNING)
    answer = api.get("changes").json()
    assert (answer["items"], told(api, answer["cursor"])) == ([], [])


def test_what_a_host_failed_with_is_not_told(api: ApiClient) -> None:
    cursor = api.get("changes").json()["cursor"]
    failing = FakeEngine(failure="no file secret.pem")
    reconcile(Host.objects.get(name="local"), failing, trigger=Trigger.TICK)
    (change,) = api.items("changes", after=cursor)
    assert (change["kind"], change["from_state"], change["to_state"]) == ("host", "fresh", "failing")
    assert (change["row"], change["container"], change["cause"]) == ("", None, "its last pass failed")


def test_the_number_of_queries_does_not_grow(api: ApiClient, django_assert_max_num_queries: Any) -> None:
    """I11."""
    cursor = api.get("changes").json()["cursor"]
    look(*(container(f"c{number}", workload("shop", role=f"r{number}")) for number in range(20)))
    with django_assert_max_num_queries(5):
        assert len(told(api, cursor)) == 20


@pytest.mark.parametrize("condition", [each for each in Condition if each is not Condition.OFF])
def test_rows_are_unknown_under_the_conditions_that_the_page_on_the_api_names(
    api: ApiClient, condition: Condition
) -> None:
    """I17: so that whoever follows the feed can tell."""
    look(RUNNING)
    columns: dict[Condition, dict[str, Any]] = {
        Condition.FRESH: {},
        Condition.HELD: {"held_since": timezone.now()},
        Condition.FAILING: {"last_error": "connection refused"},
        Condition.STALE: {"last_success_at": timezone.now() - timedelta(hours=1)},
        Condition.NEW: {"last_success_at": None},
    }
    Host.objects.update(**columns[condition])
    host = api.get("hosts/local").json()["item"]
    row = api.get("containers/shop:web").json()["item"]
    assert host["condition"] == condition
    assert (row["effective_state"] == "unknown") == (condition in (Condition.FAILING, Condition.STALE, Condition.NEW))


# Cursors


def test_a_cursor_whose_changes_are_not_known_any_more_is_gone(api: ApiClient) -> None:
    cursor = api.get("changes").json()["cursor"]
    look(RUNNING)
    Feed.objects.update(pruned_to=Transition.objects.latest("id").pk)
    answer = api.get("changes", after=cursor)
    assert (answer.status_code, answer.json()["type"]) == (410, "tinyforge:problem:cursor-too-old")


def test_a_cursor_of_another_database_is_gone(api: ApiClient) -> None:
    cursor = api.get("changes").json()["cursor"]
    Feed.objects.update(epoch=1)
    assert api.get("changes", after=cursor).status_code == 410


@pytest.mark.parametrize("cursor", ["", "0", "x" * 23, "-" * 23])
def test_what_is_no_cursor_is_refused(api: ApiClient, cursor: str) -> None:
    assert api.get("changes", after=cursor).status_code == 400


@pytest.mark.parametrize("wait", [-1, 31, "long"])
def test_nobody_waits_for_longer_than_half_a_minute(api: ApiClient, wait: object) -> None:
    assert api.get("changes", wait=wait).status_code == 400


# Waiting


@pytest.fixture
def in_thread() -> Iterator[Callable[[Callable[[], Any]], "Future[Any]"]]:
    """Give a function that lets another function run in a thread, with connections of its own."""

    def with_own_connections(act: Callable[[], Any]) -> Any:
        try:
            return act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor() as pool:
        yield lambda act: pool.submit(with_own_connections, act)


InThread = Callable[[Callable[[], Any]], "Future[Any]"]
really_committed = pytest.mark.django_db(transaction=True)


def somebody_waits() -> bool:
    return NEWEST._waiting > 0


@really_committed
def test_who_waits_is_told_as_soon_as_something_changes(api: ApiClient, in_thread: InThread) -> None:
    cursor = api.get("changes").json()["cursor"]
    answer = in_thread(lambda: told(api, cursor, wait=30))
    eventually(somebody_waits)
    look(RUNNING)
    with within(10):
        assert answer.result(WAIT_SECONDS) == [("shop:web", "running")]


@really_committed
def test_nobody_waits_in_a_process_that_is_told_to_end(
    api: ApiClient, in_thread: InThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor = api.get("changes").json()["cursor"]
    answer = in_thread(lambda: told(api, cursor, wait=30))
    eventually(somebody_waits)
    monkeypatch.setattr(NEWEST, "is_ending", lambda: True)
    with within(5):
        assert answer.result(WAIT_SECONDS) == []


@really_committed
def test_who_waits_in_vain_is_told_so_and_keeps_the_place(api: ApiClient) -> None:
    cursor = api.get("changes").json()["cursor"]
    answer = api.get("changes", after=cursor, wait=1).json()
    assert (answer["items"], answer["cursor"]) == ([], cursor)


def test_nobody_waits_if_there_is_something_to_tell(api: ApiClient) -> None:
    cursor = api.get("changes").json()["cursor"]
    look(RUNNING)
    with within(5):
        assert told(api, cursor, wait=30) == [("shop:web", "running")]


@really_committed
def test_who_waits_holds_no_connection_to_the_database(api: ApiClient, in_thread: InThread) -> None:
    """I19."""
    used: list[Any] = []

    def wait() -> list[tuple[str, str]]:
        used.append(connections["default"])
        return told(api, cursor, wait=30)

    cursor = api.get("changes").json()["cursor"]
    answer = in_thread(wait)
    eventually(somebody_waits)
    assert used[0].connection is None
    look(RUNNING)
    assert answer.result(WAIT_SECONDS) == [("shop:web", "running")]


@really_committed
def test_when_all_places_are_taken_others_are_sent_away(api: ApiClient, settings: Any, in_thread: InThread) -> None:
    """I19."""
    settings.FOLLOWERS_MOST = 1
    cursor = api.get("changes").json()["cursor"]
    waiting = in_thread(lambda: told(api, cursor, wait=30))
    eventually(somebody_waits)
    answer = api.get("changes", after=cursor, wait=30)
    assert (answer.status_code, answer["Retry-After"], answer.json()["type"]) == (503, "5", "tinyforge:problem:busy")
    assert told(api, cursor) == []
    look(RUNNING)
    assert waiting.result(WAIT_SECONDS) == [("shop:web", "running")]
    assert api.get("changes", wait=1).status_code == 200
