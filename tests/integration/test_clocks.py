"""A clock that was wrong once, by a day, spoils nothing for longer than an interval (I15, I16, I17)."""

from datetime import datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from django.db import connection
from django.utils import timezone

from reconciler.core.report import Trigger
from reconciler.models import Container, Host, Transition
from reconciler.models.condition import Condition, condition
from reconciler.prune import Pruned, prune
from reconciler.reconcile import reconcile
from tests.builders import FakeEngine, cid, container, workload

pytestmark = pytest.mark.django_db

NOW = timezone.now()
DAY, INTERVAL = timedelta(days=1), timedelta(seconds=30)
WEB = container("web", workload("shop", role="web"))
WRONG = [DAY, -DAY]


def look(host: Host, at: datetime, engine: FakeEngine | None = None) -> None:
    """Make a pass by a clock that says that it is this moment."""
    with mock.patch("django.utils.timezone.now", return_value=at):
        reconcile(host, engine or FakeEngine([WEB]), trigger=Trigger.TICK)


def local_now(**columns: Any) -> Host:
    if columns:
        Host.objects.update(**columns)
    return Host.objects.get(name="local")


@pytest.mark.parametrize("wrong", WRONG)
def test_sightings_are_refreshed_by_the_next_pass(local: Host, wrong: timedelta) -> None:
    look(local, NOW)
    look(local, NOW + wrong)
    look(local, NOW + INTERVAL)
    assert Container.objects.get().last_seen_at == NOW + INTERVAL


def test_two_clocks_that_differ_a_little_refresh_no_more_often(local: Host) -> None:
    """I11."""
    look(local, NOW + timedelta(seconds=5))
    look(local, NOW)
    assert Container.objects.get().last_seen_at == NOW + timedelta(seconds=5)


@pytest.mark.parametrize("wrong", [*WRONG, timedelta(minutes=2)])
def test_a_failing_host_is_tried_again_in_time(local: Host, wrong: timedelta) -> None:
    """I15."""
    look(local, NOW + wrong, FakeEngine(failure="cannot be reached"))
    assert Host.objects.due(NOW + INTERVAL).exists()


def test_a_failing_host_is_left_alone_by_clocks_that_differ_a_little(local: Host) -> None:
    """I15."""
    look(local, NOW + timedelta(seconds=5), FakeEngine(failure="cannot be reached"))
    assert not Host.objects.due(NOW).exists()


@pytest.mark.parametrize("wrong", WRONG)
def test_a_host_that_nobody_looks_at_any_more_is_stale_and_its_rows_are_unknown(local: Host, wrong: timedelta) -> None:
    """I17."""
    look(local, NOW + wrong)
    assert condition(local_now(), NOW) == Condition.STALE
    assert Container.objects.with_effective_state(NOW).get().effective_state == "unknown"  # type: ignore[attr-defined]


def test_clocks_that_differ_a_little_make_no_host_stale_and_no_row_unknown(local: Host) -> None:
    """I17."""
    look(local, NOW + timedelta(seconds=5))
    assert condition(local_now(), NOW) == Condition.FRESH
    assert Container.objects.with_effective_state(NOW).get().effective_state == "running"  # type: ignore[attr-defined]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_watcher_that_died_is_not_believed_to_live(local: Host, wrong: timedelta) -> None:
    """I17."""
    host = local_now(watching_since=NOW - DAY, watcher_alive_at=NOW + wrong)
    assert not host.is_watched(NOW)


@pytest.mark.parametrize("wrong", WRONG)
def test_a_host_that_was_looked_at_tomorrow_does_not_wait_until_then(local: Host, wrong: timedelta) -> None:
    """I15."""
    local_now(last_attempt_at=NOW + wrong)
    Host.objects.create(name="west", last_attempt_at=NOW - 2 * INTERVAL)
    assert Host.objects.longest_waiting_first(NOW)[0].name == "local"


def test_a_host_that_will_fail_tomorrow_has_its_turn_today(local: Host) -> None:
    """I15."""
    local_now(last_attempt_at=NOW - INTERVAL)
    tomorrow = dict.fromkeys(("last_attempt_at", "last_error_at", "retry_at"), NOW + DAY)
    Host.objects.create(name="west", failures=1, last_error="cannot be reached", **tomorrow)
    assert Host.objects.longest_waiting_first(NOW)[0].name == "west"


@pytest.mark.parametrize("wrong", WRONG)
def test_restarts_of_another_day_are_no_loop_of_today(local: Host, wrong: timedelta) -> None:
    """I16."""
    look(local, NOW)
    Transition.objects.create(row_id="shop:web", host_id="local", container_id=cid("web"), at=NOW + wrong, restarts=9)
    assert not Container.objects.looping(NOW).exists()


def gone(*, updated_at: datetime, last_seen_at: datetime | None = None) -> None:
    Container.objects.create(id="shop:web", workload_id="shop", container_id=cid("web"), state="missing")
    Container.objects.update(updated_at=updated_at, last_seen_at=last_seen_at)


def test_a_clock_that_is_ahead_prunes_nothing_before_its_time(local: Host) -> None:
    """I16: the database's clock has a say in what is deleted for good."""
    gone(updated_at=NOW - DAY)
    Transition.objects.create(row_id="shop:db", host_id="local", at=NOW - DAY)
    assert prune(NOW + 100 * DAY) == Pruned(containers=0, transitions=0)


def test_a_database_whose_clock_is_ahead_prunes_nothing_before_its_time(
    local: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I16: nor does ours believe it."""
    gone(updated_at=NOW - DAY)
    monkeypatch.setattr("reconciler.store.database_now", lambda: NOW + 100 * DAY)
    assert prune(NOW) == Pruned(containers=0, transitions=0)


def test_a_row_marked_missing_by_a_clock_that_was_behind_is_kept_for_its_time(local: Host) -> None:
    """I16: it was seen lately."""
    gone(updated_at=NOW - 100 * DAY, last_seen_at=NOW - DAY)
    assert prune(NOW).containers == 0
    Container.objects.update(last_seen_at=NOW - 31 * DAY)
    assert prune(NOW).containers == 1


def test_the_database_says_what_its_clock_says(local: Host) -> None:
    from reconciler.store import database_now

    now = database_now()
    assert now is not None
    assert abs(now - timezone.now()) < timedelta(hours=1), connection.vendor
    Host.objects.all().delete()
    assert database_now() is None
