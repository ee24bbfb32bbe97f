"""How bad something is: a badge, the edge beside it and the mark of a container never disagree."""

import re

import pytest
from django.utils.safestring import SafeString

from reconciler import words
from reconciler.levels import Level, level_of, level_of_condition
from reconciler.models import Condition, State, Trouble
from tests.pages import host_status, page_row
from web.pages.table import mark_of
from web.pages.things import thing_of_row, things_of_hosts
from web.templatetags.index_words import level, state

SHOWN_BY = {
    Trouble.LOOPING: {"restarts_lately": 9},
    Trouble.MISSING: {"state": "missing"},
    Trouble.FAILED: {"state": "failed"},
    Trouble.OOM: {"state": "stopped", "exit_code": 137, "oom_killed": True},
    Trouble.ENDED: {"state": "stopped", "exit_code": 1},
    Trouble.RESTARTING: {"state": "restarting"},
    Trouble.UNHEALTHY: {"health": "unhealthy"},
    Trouble.STUCK: {"state": "created"},
    Trouble.PAUSED: {"state": "paused"},
    Trouble.UNKNOWN: {},
}


def levels_in(badges: SafeString) -> set[str]:
    return set(re.findall(r"\blevel-(\w+)", badges))


@pytest.mark.parametrize(("trouble", "columns"), SHOWN_BY.items())
def test_the_badges_of_a_row_have_the_colour_of_its_edge_and_of_its_mark(
    trouble: Trouble, columns: dict[str, object]
) -> None:
    row = page_row("shop:web", trouble, **columns)
    thing = thing_of_row(row)
    mark = mark_of({"id": row.id, "severity": row.severity, "state": row.state, "exit_code": row.exit_code})
    assert levels_in(state(row)) == {thing.level} == {level(row)}
    assert mark.css == f"mark-{thing.level}"


def test_a_row_that_is_well_has_no_colour_that_warns() -> None:
    assert levels_in(state(page_row())) == set()
    assert levels_in(state(page_row(state="stopped", exit_code=0))) == set()


@pytest.mark.parametrize("condition", [Condition.FAILING, Condition.STALE, Condition.HELD, Condition.NEW])
def test_the_badge_of_a_host_has_the_colour_of_its_edge(condition: Condition) -> None:
    (thing,) = things_of_hosts([host_status(condition=condition)], with_errors=False)
    assert levels_in(words.condition_badge(condition)) == {thing.level} == {level_of_condition(condition)}


def test_what_ended_with_an_error_is_shown_as_that_in_history_too() -> None:
    assert levels_in(words.state_badge(State.STOPPED, 1)) == {level_of(Trouble.ENDED)} == {Level.DOWN}
