"""Uptime that does not lie: what could not be seen is not known (I16)."""

from datetime import datetime, timedelta
from unittest import mock

import pytest
from django.utils import timezone

from reconciler import feed
from reconciler.api import delete_rows
from reconciler.core.observation import Observation
from reconciler.core.report import Trigger
from reconciler.models import (
    Container,
    Host,
    Outage,
    Span,
    Transition,
    Uptime,
    timelines_of_rows,
    uptime_of,
    uptime_of_all_rows,
    uptime_of_host,
    uptime_of_rows,
    uptime_of_workload,
)
from reconciler.reconcile import reconcile
from tests.builders import FakeEngine, container, workload

pytestmark = pytest.mark.django_db

NOW = timezone.now().replace(microsecond=0)
BEGIN = NOW - timedelta(hours=10)
HOUR, MINUTE = 3600, 60
WEB, DB = "shop:web", "shop:db"


def after(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def seen(name: str, state: str = "running") -> Observation:
    return container(name, workload("shop", role=name), state=state)


def look(seconds: float, *containers: Observation, failure: str = "", host: str = "local") -> None:
    """Make a pass so many seconds after the beginning."""
    engine = FakeEngine(list(containers), failure=failure)
    with mock.patch("django.utils.timezone.now", return_value=after(seconds)):
        reconcile(Host.objects.get(name=host), engine, trigger=Trigger.TICK)


def watch(begin: int, end: int, *containers: Observation, host: str = "local") -> None:
    """Make a pass every minute, the last one at the end."""
    for seconds in range(begin, end + 1, MINUTE):
        look(seconds, *containers, host=host)


def told(found: Uptime) -> tuple[float, float, float]:
    """Return for how many seconds it was up, down and not known."""
    return found.up.total_seconds(), found.down.total_seconds(), found.unknown.total_seconds()


def row(begin: float, end: float, row_id: str = WEB, now: float = 10 * HOUR) -> tuple[float, float, float]:
    """Return a row's uptime, which is the same if all rows are reckoned at once."""
    with mock.patch("django.utils.timezone.now", return_value=after(now)):
        every, one = uptime_of_all_rows(after(begin), after(end)), uptime_of_rows([row_id], after(begin), after(end))
    assert told(every[row_id]) == pytest.approx(told(one[row_id]), abs=1e-5)
    return told(one[row_id])


# rows


def test_a_row_is_up_while_its_container_runs(local: Host) -> None:
    watch(0, 600, seen("web"))
    watch(660, 900, seen("web", "stopped"))
    watch(960, 1200, seen("web"))
    assert row(0, 1200, now=1200) == (660 + 240, 300, 0)
    assert row(300, 700, now=1200) == (360, 40, 0)


def test_a_row_that_is_missing_is_down(local: Host) -> None:
    watch(0, 120, seen("web"), seen("db"))
    watch(180, 300, seen("db"))
    assert row(0, 300, now=300) == (180, 120, 0)


def test_nothing_is_known_of_a_row_before_it_was_seen_and_after_it_ended(local: Host) -> None:
    watch(0, 120)
    watch(180, 300, seen("web"))
    with mock.patch("django.utils.timezone.now", return_value=after(300)):
        delete_rows([WEB], "the shop was closed")
    watch(360, 600)
    assert row(0, 600, now=600) == (120, 0, 480)


def test_while_a_host_hangs_its_rows_are_not_known_and_for_exactly_that_time(local: Host) -> None:
    watch(0, 600, seen("web"))
    for seconds in (660, 720, 900):
        look(seconds, failure="sent nothing for 10 s")
    watch(1000, 1240, seen("web"))
    assert row(0, 1200, now=1240) == (600 + 200, 0, 400)


def test_while_the_workers_are_off_for_an_hour_nothing_is_known_of_that_hour(local: Host) -> None:
    watch(0, 600, seen("web"))
    watch(600 + HOUR, 600 + HOUR + 300, seen("web", "stopped"))
    assert row(0, 900 + HOUR, now=900 + HOUR) == (600, 300, HOUR)


def test_what_a_clock_has_jumped_over_is_not_known(local: Host) -> None:
    watch(0, 600, seen("web"))
    watch(600 + 2 * HOUR, 900 + 2 * HOUR, seen("web"))
    assert row(0, 900 + 2 * HOUR, now=900 + 2 * HOUR) == (900, 0, 2 * HOUR)


def test_a_clock_that_was_ahead_for_once_makes_nothing_unknown(local: Host) -> None:
    """I16: but the step that it wrote is moved to between its neighbours."""
    watch(0, 600, seen("web"))
    look(5 * HOUR, seen("web", "stopped"))
    watch(660, 900, seen("web"))
    assert row(0, 900, now=900) == (900, 0, 0)


def test_a_clock_that_is_put_back_makes_nothing_unknown(local: Host) -> None:
    watch(0, 2 * HOUR, seen("web"))
    watch(HOUR, HOUR + 900, seen("web"))
    assert row(0, HOUR + 900, now=HOUR + 900) == (HOUR + 900, 0, 0)


def test_an_outage_that_nobody_has_noticed_yet_is_not_known(local: Host) -> None:
    watch(0, 600, seen("web"))
    assert row(0, 690, now=690) == (690, 0, 0)
    assert row(0, 691, now=691) == (600, 0, 91)


def test_an_outage_that_lasts_is_not_known_until_now(local: Host) -> None:
    watch(0, 600, seen("web"))
    look(630, failure="hangs")
    assert row(0, 640, now=640) == (600, 0, 40)


def test_the_future_is_not_known(local: Host) -> None:
    watch(0, 600, seen("web"))
    assert row(0, 1000, now=600) == (600, 0, 400)


def test_a_row_without_a_history_is_not_known(local: Host) -> None:
    Container.objects.create(id=WEB, workload_id="shop")
    assert row(0, 100) == (0, 0, 100)


def test_a_row_that_moves_to_another_host_is_seen_by_the_host_that_it_is_on(local: Host) -> None:
    """The first host goes on failing, which does not matter any more."""
    Host.objects.create(name="west", created_at=BEGIN)
    steps = [("local", "running", 0), ("local", "stopped", 100), ("west", "running", 200)]
    feed.append([Transition(row_id=WEB, host_id=host, to_state=to, at=after(at)) for host, to, at in steps])
    Container.objects.create(id=WEB, workload_id="shop", host_id="west", state="running")
    Outage.objects.create(host_id="local", kind="unreachable", began_at=after(150), noticed_at=after(150))
    Host.objects.update(last_success_at=after(300))
    assert row(0, 300, now=300) == (200, 50, 50)


def test_a_span_ends_after_it_begins() -> None:
    with pytest.raises(ValueError, match="a span ends after it begins"):
        uptime_of_rows([WEB], NOW, BEGIN)


# workloads


def shop(begin: float, end: float) -> tuple[float, float, float]:
    with mock.patch("django.utils.timezone.now", return_value=after(end)):
        return told(uptime_of_workload("shop", after(begin), after(end)))


def test_a_workload_is_up_while_one_of_its_containers_is(local: Host) -> None:
    watch(0, 300, seen("web"), seen("db"))
    watch(360, 600, seen("web", "stopped"), seen("db"))
    watch(660, 900, seen("web"), seen("db", "stopped"))
    watch(960, 1200, seen("web", "stopped"), seen("db", "stopped"))
    assert shop(0, 1200) == (960, 240, 0)


def test_a_workload_on_two_hosts_is_up_while_one_is_seen_to_be_up(local: Host) -> None:
    Host.objects.create(name="west")
    for seconds in range(0, 300, MINUTE):
        look(seconds, seen("web"))
        look(seconds, seen("web", "stopped"), host="west")
    look(300, failure="hangs")
    look(300, seen("web", "stopped"), host="west")
    assert shop(0, 300) == (240, 0, 60)


def test_a_row_that_was_deleted_counts_for_its_workload(local: Host) -> None:
    watch(0, 300, seen("web"))
    with mock.patch("django.utils.timezone.now", return_value=after(300)):
        delete_rows([WEB], "deployed anew under another id")
    watch(360, 600, seen("db"))
    assert shop(0, 600) == (300 + 240, 0, 60)


# hosts


def test_a_host_is_down_while_passes_fail_and_not_known_while_nobody_looks(local: Host) -> None:
    Host.objects.update(created_at=after(100))
    watch(160, 400)
    look(460, failure="hangs")
    watch(500, 740)
    watch(740 + HOUR, 860 + HOUR)
    with mock.patch("django.utils.timezone.now", return_value=after(860 + HOUR)):
        found = uptime_of_host("local", after(0), after(860 + HOUR))
    assert told(found) == (860 - 100 - 100, 100, 100 + HOUR)


def test_of_a_host_that_is_not_there_nothing_is_known() -> None:
    assert told(uptime_of_host("nowhere", after(0), after(60))) == (0, 0, 60)


# bounds


def test_of_a_row_that_changes_all_the_time_only_the_newest_steps_count_and_what_was_before_is_not_known(
    local: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I19."""
    monkeypatch.setattr("reconciler.models.steps.MOST_STEPS", 4)
    for turn in range(5):
        look(turn * 120, seen("web"), seen("db"))
        look(turn * 120 + 60, seen("web", "stopped"), seen("db"))
    both = uptime_of_rows([WEB, DB], after(0), after(540))
    assert told(both[WEB]) == (120, 60, 360)
    assert told(both[DB]) == (540, 0, 0)
    assert told(uptime_of_rows([WEB], after(0), after(540))[WEB]) == (120, 60, 360)


@pytest.mark.parametrize("begin", [0, 200, 420])
def test_whatever_reads_the_history_of_a_row_that_changes_all_the_time_says_the_same(
    local: Host, monkeypatch: pytest.MonkeyPatch, begin: int
) -> None:
    """I16."""
    for module in ("steps", "uptime"):
        monkeypatch.setattr(f"reconciler.models.{module}.MOST_STEPS", 4)
    for turn in range(5):
        look(turn * 120, seen("web"), seen("db"))
        look(turn * 120 + 60, seen("web", "stopped"), seen("db"))
    span = Span(after(begin), after(540))
    every, some = uptime_of_all_rows(*span), uptime_of_rows([WEB, DB], *span)
    long = timelines_of_rows([WEB, DB], after(0), after(540))
    drawn = {row_id: uptime_of(pieces, span) for row_id, pieces in long.items()}
    assert {each: told(every[each]) for each in some} == {each: told(uptime) for each, uptime in some.items()}
    assert {each: told(uptime) for each, uptime in drawn.items()} == {each: told(some[each]) for each in drawn}
