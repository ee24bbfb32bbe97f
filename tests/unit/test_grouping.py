"""When a group of deliveries is told, and to whom an incident is told."""

from datetime import UTC, datetime, timedelta

import pytest

from alerts.core.conditions import Severity
from alerts.core.grouping import Group, is_due
from alerts.core.routing import Rule, Subject, channels_of

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def ago(**length: float) -> datetime:
    return NOW - timedelta(**length)


def group(severity: Severity = Severity.PAGE, **known: object) -> Group:
    return Group(severity=severity, **known)  # type: ignore[arg-type]


def test_a_new_group_is_told_after_thirty_seconds() -> None:
    assert not is_due(group(waits_since=ago(seconds=29)), NOW)
    assert is_due(group(waits_since=ago(seconds=30)), NOW)


def test_what_is_new_in_a_group_is_told_every_five_minutes() -> None:
    assert not is_due(group(waits_since=ago(minutes=4), told_at=ago(minutes=4, seconds=59), is_over=False), NOW)
    assert is_due(group(waits_since=ago(minutes=4), told_at=ago(minutes=5), is_over=False), NOW)


def test_what_comes_after_a_group_is_over_begins_a_new_one() -> None:
    assert is_due(group(waits_since=ago(seconds=30), told_at=ago(minutes=1), is_over=True), NOW)


def test_a_group_that_stands_is_told_again_every_four_hours() -> None:
    assert not is_due(group(told_at=ago(hours=3, minutes=59), stands=True, is_over=False), NOW)
    assert is_due(group(told_at=ago(hours=4), stands=True, is_over=False), NOW)


def test_a_group_that_stands_and_was_told_so_long_ago_that_nobody_knows_when_is_told_again() -> None:
    assert is_due(group(told_at=None, stands=True, is_over=False), NOW)


def test_a_group_of_which_nothing_stands_is_not_told_again() -> None:
    assert not is_due(group(told_at=ago(days=9), stands=False, is_over=False), NOW)
    assert not is_due(group(), NOW)


def test_a_digest_is_gathered_for_an_hour_and_told_once_a_day() -> None:
    assert not is_due(group(Severity.DIGEST, waits_since=ago(minutes=59)), NOW)
    assert is_due(group(Severity.DIGEST, waits_since=ago(hours=1)), NOW)
    assert not is_due(group(Severity.DIGEST, waits_since=ago(hours=2), told_at=ago(hours=23), is_over=False), NOW)


def test_a_clock_that_was_ahead_once_keeps_nothing_from_being_told() -> None:
    ahead = NOW + timedelta(days=365)
    assert is_due(group(waits_since=ahead), NOW)
    assert is_due(group(waits_since=ago(minutes=1), told_at=ahead, is_over=False), NOW)
    assert is_due(group(told_at=ahead, stands=True, is_over=False), NOW)


SUBJECT = Subject(severity="page", condition="missing", host="berlin", workload="shop", kind="project")


def test_channels_that_no_route_names_are_told_everything() -> None:
    assert channels_of(SUBJECT, [], [2, 1]) == [1, 2]
    assert channels_of(SUBJECT, [Rule(channels=frozenset({1}), severity="digest")], [1, 2]) == [2]


def test_a_channel_of_several_routes_that_fit_is_told_once() -> None:
    rules = [Rule(channels=frozenset({1})), Rule(channels=frozenset({1, 2}), host="berlin")]
    assert channels_of(SUBJECT, rules, [1, 2]) == [1, 2]


def test_a_channel_that_is_off_is_not_told() -> None:
    assert channels_of(SUBJECT, [Rule(channels=frozenset({1}))], []) == []


@pytest.mark.parametrize(
    ("name", "other"),
    [("severity", "notify"), ("condition", "ended"), ("host", "rome"), ("workload", "blog"), ("kind", "site")],
)
def test_a_route_fits_only_if_all_that_it_asks_for_is_so(name: str, other: str) -> None:
    asked = {name: getattr(SUBJECT, name)}
    assert Rule(channels=frozenset({1}), **asked).fits(SUBJECT)
    assert not Rule(channels=frozenset({1}), **{**asked, name: other}).fits(SUBJECT)
