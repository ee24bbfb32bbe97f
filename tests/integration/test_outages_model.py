"""Outages and conditions of any course of events, beside a slow and obvious reckoning of what they should be (I16)."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from unittest import mock

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reconciler import standing
from reconciler.core.report import Trigger
from reconciler.models import Host, Outage, Transition
from reconciler.reconcile import reconcile
from tests.builders import FakeEngine

# a count of lines would cost as much as the tests, and others reach the same lines
pytestmark = [pytest.mark.django_db, pytest.mark.no_cover]

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
STALE_SECONDS = 90
PASS, FAIL, TICK, OFF, ON = "pass", "fail", "tick", "off", "on"
WAITS = st.sampled_from([1, 30, 89, 91, 200, 3600])
COURSES = st.lists(st.tuples(WAITS, st.sampled_from([PASS, PASS, FAIL, TICK, OFF, ON])), max_size=14)
CLOCKS = st.sampled_from([0, 0, 0, 2, -2, 86_400, -86_400, 300])
any_course = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

Course = Iterable[tuple[float, str]]
"""What happens, each with the seconds since the beginning."""


def moments(course: list[tuple[int, str]]) -> list[tuple[float, str]]:
    """Return what happens with the seconds since the beginning, from the seconds since what happened before."""
    now = 0
    timed: list[tuple[float, str]] = []
    for wait, act in course:
        now += wait
        timed.append((now, act))
    return timed


def make(act: str, seconds: float) -> None:
    at = NOON + timedelta(seconds=seconds)
    hosts = Host.objects.filter(name="local")
    with mock.patch("django.utils.timezone.now", return_value=at):
        if act in (PASS, FAIL):
            engine = FakeEngine(failure="hangs" if act == FAIL else "")
            reconcile(hosts.get(), engine, trigger=Trigger.TICK)
        elif act == TICK:
            standing.note_conditions(at)
        else:
            hosts.update(enabled=act == ON)


def begin() -> None:
    for model in (Outage, Transition, Host):
        model.objects.all().delete()
    Host.objects.create(name="local", created_at=NOON)


def seconds_of(moment: datetime | None) -> float | None:
    return None if moment is None else (moment - NOON).total_seconds()


def outages() -> list[tuple[float | None, float | None]]:
    found = Outage.objects.order_by("id").values_list("began_at", "ended_at")
    return [(seconds_of(began), seconds_of(ended)) for began, ended in found]


def reckoned_outages(course: Course) -> list[tuple[float, float | None]]:
    """Return the times between two successes that are too long, or in which a pass failed, and the one that lasts."""
    found: list[tuple[float, float | None]] = []
    enabled, last, failed, noticed = True, None, False, False
    for now, act in course:
        enabled = {ON: True, OFF: False}.get(act, enabled)
        failed |= act == FAIL
        noticed |= act == TICK and enabled and last is not None and now - last > STALE_SECONDS
        if act == PASS:
            if failed or (last is not None and now - last > STALE_SECONDS):
                found.append((last or 0, now))
            last, failed, noticed = now, False, False
    return [*found, (last or 0, None)] if failed or noticed else found


def reckoned_conditions(course: Course) -> list[str]:
    """Return how the host stands whenever somebody notes it, each change once."""
    told = []
    enabled, last, failing = True, None, False
    for now, act in course:
        enabled = {ON: True, OFF: False}.get(act, enabled)
        if act == PASS:
            last, failing = now, False
        failing |= act == FAIL
        if act in (ON, OFF):
            continue
        if not enabled:
            told.append("off")
        elif failing:
            told.append("failing")
        elif last is None:
            told.append("new")
        else:
            told.append("stale" if now - last > STALE_SECONDS else "fresh")
    return [condition for condition, _ in groupby(told)]


@any_course
@given(COURSES)
@example([(30, PASS), (3600, PASS)])
@example([(30, PASS), (30, FAIL), (3600, TICK), (1, PASS), (91, TICK), (30, FAIL)])
def test_a_host_is_out_for_exactly_the_time_in_which_it_was_not_seen(course: list[tuple[int, str]]) -> None:
    begin()
    for seconds, act in moments(course):
        make(act, seconds)
    assert outages() == reckoned_outages(moments(course))
    told = Transition.objects.order_by("id").values_list("from_state", "to_state")
    assert [condition for _, condition in told] == reckoned_conditions(moments(course))
    assert all(before[1] == after[0] for before, after in pairwise(told))


@any_course
@given(st.lists(st.tuples(WAITS, st.sampled_from([PASS, PASS, FAIL, TICK]), CLOCKS), max_size=12))
def test_clocks_that_are_wrong_leave_nothing_that_lasts(course: list[tuple[int, str, int]]) -> None:
    """No outage goes backwards, and when all clocks are right again, none lies ahead."""
    begin()
    acts = moments([(wait, act) for wait, act, _ in course])
    for (seconds, act), (*_, offset) in zip(acts, course, strict=True):
        make(act, seconds + offset)
    end = acts[-1][0] if acts else 0
    for seconds in (end + 1, end + 31, end + 61):
        make(PASS, seconds)
    assert not Outage.objects.open().exists()
    assert not Outage.objects.filter(ended_at__gt=NOON + timedelta(seconds=end + 31)).exists()
    assert Host.objects.get().condition_told == "fresh"
