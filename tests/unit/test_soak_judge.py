"""The judge of `make soak` sees what it is there to see: what it decides without a database."""

import pytest

from soak.history import Stage, fault_of
from soak.judge import TOLD_AFTER_SECONDS, differences, stages_of, told_of_containers
from soak.record import GONE, Life, Moment, Record, Span, longest_seen

LIVING = {"a" * 64: ("local", "running")}
WENT_THROUGH = [Stage(state) for state in ("created", "running", "stopped", "running")]
NOON = 1_000_000.0


@pytest.mark.parametrize(
    "told",
    [
        ["running", "stopped", "running"],
        ["running"],
        ["stopped", "running"],
        [],
        ["running", "stopped", GONE, "running"],
        ["running", GONE, "running", "stopped", GONE, "stopped"],
    ],
)
def test_history_with_gaps_is_what_happened(told: list[str]) -> None:
    assert fault_of(told, WENT_THROUGH) == ""


@pytest.mark.parametrize(
    ("told", "first"),
    [
        (["running", "paused"], "paused"),
        (["running", "stopped", "stopped"], "stopped"),
        (["stopped", "running", "stopped"], "stopped"),
        (["running", "running", "running"], "running"),
        (["running", "missing"], "missing"),
        (["running", "stopped", "running", GONE, "stopped"], "stopped"),
    ],
)
def test_what_is_made_up_or_told_twice_or_in_another_order_did_not_happen(told: list[str], first: str) -> None:
    assert fault_of(told, WENT_THROUGH) == f"tells {first!r}, which did not happen then"


@pytest.mark.parametrize(
    "told",
    [["stopped"], ["stopped", "running"], ["running", "stopped"], ["running", "stopped", GONE, "stopped", "running"]],
)
def test_a_state_that_lasted_and_is_told_or_shown_already_is_no_gap(told: list[str]) -> None:
    done = [Stage("running"), Stage("stopped", must=True), Stage("running"), Stage("stopped")]
    assert fault_of(told, done) == ""


@pytest.mark.parametrize("told", [[], ["running"], ["running", "running"]])
def test_a_state_that_lasted_and_is_not_told_is_a_gap(told: list[str]) -> None:
    done = [Stage("running"), Stage("stopped", must=True), Stage("running")]
    assert fault_of(told, done) == "does not tell 'stopped', which lasted"


def test_what_is_told_of_a_removed_container_ends_with_its_removal() -> None:
    done = [Stage("running"), Stage(GONE)]
    assert fault_of(["running", "missing"], done) == ""
    assert fault_of(["missing", "running"], done) == "tells 'running', which did not happen then"


@pytest.mark.parametrize(
    ("unseen", "must"),
    [
        ([], True),
        ([Span(NOON - 50, NOON)], True),
        ([Span(NOON + 20, NOON + 21)], False),
        ([Span(NOON, float("inf"))], False),
        ([Span(NOON + 1, NOON + 2), Span(NOON + 1, NOON + 5)], True),
    ],
)
def test_a_state_must_be_told_if_it_lasted_while_no_outage_hid_it(unseen: list[Span], must: bool) -> None:
    life = Life("local", [Moment("running", NOON), Moment("stopped", NOON + 40)])
    assert stages_of(life, unseen, NOON + 41) == [Stage("running", must=must), Stage("stopped")]


def test_what_can_be_seen_at_a_stretch_lies_between_the_times_that_nobody_could_see() -> None:
    day = Span(0, 100)
    assert longest_seen(day, []) == 100
    assert longest_seen(day, [Span(60, 70), Span(10, 20), Span(15, 16)]) == 40
    assert longest_seen(day, [Span(-5, 105)]) <= 0
    assert TOLD_AFTER_SECONDS < 40


def test_a_row_that_gets_another_container_tells_the_state_of_that_one() -> None:
    steps = [
        ("web", "a", "", "running", 0),
        ("web", "a", "running", "running", 0),
        ("web", "b", "running", "running", 0),
        ("web", "b", "running", "running", 1),
        ("web", "b", "running", GONE, 0),
        ("web", "b", "", "running", 0),
    ]
    assert told_of_containers(steps) == {"a": ["running"], "b": ["running", "running", GONE, "running"]}


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
    clock = iter([NOON, NOON + 10, NOON + 20])
    record = Record(lambda: next(clock))
    for state in ("running", GONE, "stopped"):
        record.note("local", "a", state)
    assert [record.is_gone("a", NOON + at) for at in (-1, 0, 9, 10, 19, 20)] == [False, False, False, True, True, False]
    assert record.living() == {"a": ("local", "stopped")}


def test_nobody_knows_that_a_container_is_gone_that_never_was() -> None:
    assert not Record().is_gone("a")


def test_what_hides_every_host_hides_each() -> None:
    record = Record()
    record.note_unseen(Span(1, 2))
    record.note_unseen(Span(3, 4), "local")
    assert record.unseen("local") == [Span(3, 4), Span(1, 2)]
    assert record.unseen("edge") == [Span(1, 2)]
