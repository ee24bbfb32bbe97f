"""How fresh the index says it is."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.fixtures import Settings

from reconciler.conf import lock_of
from reconciler.models import Container, Host, Transition
from reconciler.status import percentile, statuses
from tests.builders import certain, cid
from tests.statuses import ago, run, set_local, status

NO_REDIS = "redis://127.0.0.1:1/0"
pytestmark = pytest.mark.usefixtures("valkey", "local")


@pytest.fixture(autouse=True)
def _time_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """No second passes between what a test writes and what the command says of it, however busy the machine is."""
    now = timezone.now()
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)


def test_unknown_rows_are_counted_as_such_with_their_last_known_states() -> None:
    """I17."""
    set_local(last_success_at=ago(1), last_error="cannot be reached", failures=2, retry_at=timezone.now())
    for name in ("web", "db"):
        Container.objects.create(id=f"shop:{name}", workload_id="shop", container_id=cid(name), state="running")
    Container.objects.create(id="shop:new", workload_id="shop")
    assert "1 pending, 2 unknown (last known: 2 running)" in run()[1]
    assert (status()["containers"], status()["last_known"]) == ({"pending": 1, "unknown": 2}, {"running": 2})


@pytest.mark.parametrize(
    ("columns", "condition", "said"),
    [
        ({"last_success_at": 1}, "fresh", "fresh"),
        ({"last_success_at": 99}, "stale", "stale"),
        ({}, "new", "not looked at yet"),
        ({"enabled": False}, "off", "off"),
        ({"last_error": "hangs", "failures": 4, "retry_at": 1}, "failing", "failing (4×)"),
        ({"last_success_at": 1, "held_since": 1, "held_reason": "9 of 9 rows"}, "held", "held: 9 of 9 rows"),
    ],
)
def test_a_hosts_condition_is_a_value_and_is_said_in_few_words(
    columns: dict[str, Any], condition: str, said: str
) -> None:
    set_local(**{name: ago(value) if name.endswith(("_at", "_since")) else value for name, value in columns.items()})
    assert (status()["condition"], status()["condition_text"]) == (condition, said)


def test_a_failing_host_says_when_it_is_tried_again() -> None:
    set_local(last_error="hangs", failures=4, retry_at=timezone.now() + timedelta(seconds=200))
    assert status()["condition_text"] == "failing (4×, next try in 200 s)"


def test_a_restart_loop_is_counted() -> None:
    set_local(last_success_at=ago(1))
    Container.objects.create(id="shop:web", workload_id="shop", container_id=cid("web"), state="running")
    Transition.objects.create(row_id="shop:web", host_id="local", container_id=cid("web"), at=ago(9), restarts=3)
    assert "1 running; 1 in a restart loop" in run()[1]
    assert status()["looping"] == 1


def test_many_hosts_cost_no_more_queries_than_one() -> None:
    with CaptureQueriesContext(connection) as one:
        statuses(timezone.now())
    Host.objects.bulk_create(Host(name=f"h{number}") for number in range(50))
    with CaptureQueriesContext(connection) as many:
        statuses(timezone.now())
    assert len(many) == len(one)


def test_the_text_is_a_table_with_a_line_per_host() -> None:
    set_local(last_success_at=ago(1))
    Host.objects.create(name="edge", url="tcp://edge.example:2376", last_success_at=ago(2), last_attempt_at=ago(2))
    code, printed, _ = run()
    head, edge, local = printed.splitlines()
    assert code == 0
    assert head.split()[:4] == ["HOST", "ENGINE", "CONDITION", "WATCHED"]
    assert edge.split()[:4] == ["edge", "tcp://edge.example:2376", "fresh", "no"]
    assert "1 s ago" in local


def test_the_text_says_what_went_wrong_last() -> None:
    set_local(last_success_at=ago(1), last_error="cannot be reached")
    assert run()[1].endswith("local: cannot be reached\n")


def test_json_is_one_object_with_a_list_of_hosts() -> None:
    last = ago(1)
    set_local(last_success_at=last, url="tcp://local.example:2376")
    code, printed, _ = run("--json")
    (host,) = json.loads(printed)["hosts"]
    assert code == 0
    assert host.pop("age_seconds") == 1
    assert host == {
        "host": "local",
        "enabled": True,
        "engine": "tcp://local.example:2376",
        "condition": "fresh",
        "condition_text": "fresh",
        "watching_since": None,
        "last_success_at": last.isoformat(),
        "stale": False,
        "error": "",
        "failures": 0,
        "retry_at": None,
        "held_since": None,
        "held_reason": "",
        "held_rows": 0,
        "containers": {},
        "last_known": {},
        "looping": 0,
        "events_seen": 0,
        "passes_asked": 0,
        "drift_found": 0,
        "drift_found_at": None,
        "latency_count": 0,
        "latency_p50_ms": None,
        "latency_p99_ms": None,
    }


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_a_stale_host_is_named_and_the_exit_status_is_1(arguments: tuple[str, ...]) -> None:
    """I17."""
    set_local(last_success_at=ago(91))
    code, printed, error = run(*arguments)
    assert (code, error.endswith(": local")) == (1, True)
    assert "local" in printed


def test_a_host_never_reached_is_stale() -> None:
    code, printed, _ = run()
    assert (code, "never STALE" in printed) == (1, True)


def test_within_three_intervals_a_host_is_not_stale() -> None:
    set_local(last_success_at=ago(85))
    assert run()[0] == 0


def test_a_disabled_host_is_never_stale() -> None:
    set_local(enabled=False, last_success_at=ago(9_999))
    code, printed, error = run()
    assert (code, error) == (0, "")
    assert "  off  " in printed
    assert "STALE" not in printed.splitlines()[1]


def test_status_says_the_same_as_readyz(settings: Settings, client: Client) -> None:
    """Redis does not answer, and nobody has looked at the host for three intervals."""
    settings.REDIS_URL = NO_REDIS
    set_local(last_success_at=ago(1), last_attempt_at=ago(91))
    code, printed, error = run("--json")
    assert json.loads(printed)["failing"] == client.get("/readyz").json()["failing"] == ["redis", "hosts"]
    said = "Redis does not answer; enabled hosts are not looked at: do workers and beat run?"
    assert (code, error) == (1, said)


def test_status_says_which_of_its_needs_keeps_it_from_reading_the_hosts() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'web'")
    code, printed, error = run("--json")
    assert json.loads(printed) == {"failing": ["migrations"], "hosts": []}
    assert (code, error) == (1, "migrations are not applied: run `manage.py migrate`")


def test_containers_are_counted_by_state_and_host() -> None:
    Host.objects.create(name="edge")
    for number, state in enumerate(["running", "running", "missing", "moved", ""]):
        Container.objects.create(id=f"c{number}", workload_id="shop", state=state)
    Container.objects.create(id="far", workload_id="shop", host_id="edge", state="paused")
    assert status()["containers"] == {"running": 2, "missing": 1, "moved": 1, "pending": 1}
    assert status("edge")["containers"] == {"paused": 1}


@pytest.mark.parametrize(("silent_seconds", "watched"), [(1, True), (31, False)])
def test_a_host_is_watched_while_the_watchers_heartbeat_is_fresh(silent_seconds: float, watched: bool) -> None:
    set_local(watching_since=ago(300), watcher_alive_at=ago(silent_seconds))
    assert (status()["watching_since"] is not None) == watched


def test_a_living_watcher_whose_stream_is_closed_does_not_watch() -> None:
    """I17."""
    set_local(watcher_alive_at=ago(1))
    assert status()["watching_since"] is None


def test_latencies_are_the_remembered_ones() -> None:
    for milliseconds in range(101):
        lock_of("local").note_latency(milliseconds)
    lock_of("edge").note_latency(9_999)
    shown = status()
    assert (shown["latency_count"], shown["latency_p50_ms"], shown["latency_p99_ms"]) == (101, 50.0, 99.0)
    assert "50/99 ms of 101" in run()[1]


def test_without_redis_there_are_no_latencies_and_all_else_is_printed(settings: Settings) -> None:
    settings.REDIS_URL = NO_REDIS
    set_local(last_success_at=ago(1), events_seen=7)
    code, printed, _ = run("--json")
    (host,) = json.loads(printed)["hosts"]
    assert (code, host["events_seen"], host["latency_count"], host["latency_p50_ms"]) == (1, 7, 0, None)


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([], 50, None), ([3.0], 99, 3.0), ([1.0, 3.0], 50, 2.0), ([2.0, 2.0, 2.0], 99, 2.0), ([9.0, 1.0, 5.0], 50, 5.0)],
)
def test_percentiles(values: list[float], percent: int, expected: float | None) -> None:
    assert percentile(values, percent) == expected


def test_a_percentile_is_never_beyond_the_greatest_value() -> None:
    assert certain(percentile([1.0, 100.0], 99)) <= 100.0


def test_the_number_of_queries_does_not_grow_with_the_number_of_hosts() -> None:
    counts = []
    for hosts in (1, 20):
        for number in range(1, hosts):
            Host.objects.create(name=f"host-{number}")
            Container.objects.create(id=f"c{number}", workload_id="shop", host_id=f"host-{number}")
        with CaptureQueriesContext(connection) as queries:
            assert len(statuses(timezone.now())) == hosts
        counts.append(len(queries))
    assert counts[0] == counts[1]
