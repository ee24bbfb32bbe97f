"""The judge of `make soak` sees what it is there to see."""

import pytest

from soak.judge import differences
from soak.record import GONE, Record, happened

LIVING = {"a" * 64: ("local", "running")}


@pytest.mark.parametrize(
    "told",
    [
        ["running", "stopped", "running"],
        ["running"],
        ["stopped", "running"],
        [],
        ["running", "stopped", GONE, "running"],
    ],
)
def test_history_with_gaps_is_what_happened(told: list[str]) -> None:
    assert happened(told, ["created", "running", "stopped", "running"]) is None


@pytest.mark.parametrize(
    ("told", "first"),
    [
        (["running", "paused"], "paused"),
        (["running", "stopped", "stopped"], "stopped"),
        (["stopped", "running", "stopped"], "stopped"),
        (["running", "running", "running"], "running"),
    ],
)
def test_what_is_made_up_or_told_twice_or_in_another_order_did_not_happen(told: list[str], first: str) -> None:
    assert happened(told, ["created", "running", "stopped", "running"]) == first


def test_a_row_that_is_as_its_container_is_no_difference() -> None:
    assert list(differences(LIVING, [("a" * 64, "local", "running")])) == []


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([], "has 0 present rows"),
        ([("a" * 64, "local", "stopped")], "is told as stopped"),
        ([("a" * 64, "edge", "running")], "edge: aaaaaaaaaaaa is told as running but is local running"),
        ([("a" * 64, "local", "running")] * 2, "has 2 present rows"),
        ([("a" * 64, "local", "running"), ("b" * 64, "local", "running")], "bbbbbbbbbbbb is running although it"),
    ],
)
def test_a_row_that_is_not_as_its_container_is_a_difference(rows: list[tuple[str, str, str]], fault: str) -> None:
    (difference,) = differences(LIVING, rows)
    assert fault in difference


def test_a_container_is_gone_once_its_removal_has_begun_and_there_again_if_it_failed() -> None:
    record = Record()
    record.note("local", "a", "running")
    assert not record.is_gone("a")
    record.note("local", "a", GONE)
    assert (record.is_gone("a"), record.living()) == (True, {})
    record.note("local", "a", "stopped")
    assert (record.is_gone("a"), record.living()) == (False, {"a": ("local", "stopped")})


def test_nobody_knows_that_a_container_is_gone_that_never_was() -> None:
    assert not Record().is_gone("a")
