"""Days of a small fleet, drawn from a seed, judged by an oracle that knows what was true (I18).

`make bench` has a month of a large one.

The oracle must find what is wrong, too: so its judgement of bad alerters is tested beside that of the index.
"""

import random
from functools import cache

import pytest

from bench.alerts_index import Index
from bench.alerts_oracle import Told, score
from bench.alerts_peers import by_events, by_polling
from bench.alerts_world import Piece, Truth, World, drawn

SEEDS = (1, 2, 3)
HOSTS, ROWS, DAYS = 12, 10, 2


@cache
def told_in(seed: int) -> tuple[World, list[Told]]:
    """Return a drawn world, and what the index told in it."""
    world = drawn(seed, HOSTS, ROWS, DAYS)
    return world, Index(world, random.Random(seed)).run()


@pytest.mark.parametrize("seed", SEEDS)
def test_no_alarm_is_false_none_is_missed_or_late_and_none_comes_twice(seed: int) -> None:
    """I18"""
    result = score(*told_in(seed))
    assert result.incidents > 5
    assert (result.false, result.missed, result.late, result.doubled) == (0, 0, 0, 0)


def test_simple_alerters_tell_what_is_not_so() -> None:
    world, _ = told_in(1)
    assert min(score(world, by_events(world)).false, score(world, by_polling(world)).false) > 10


def test_the_oracle_misses_alarms_that_did_not_come() -> None:
    world, _ = told_in(1)
    result = score(world, [])
    assert result.missed == result.incidents


def world_with(*pieces: Piece) -> World:
    """Return a world with one container, which is gone from the moment 1,000 on, or as a test says."""
    truth = Truth("shop:web", "west", [Piece(0.0), *(pieces or (Piece(1_000.0, "missing"),))])
    return World(10_000.0, {truth.row: truth}, {"west": []}, {"west": []})


def told(at: float, condition: str = "missing", *, is_over: bool = False) -> Told:
    return Told(at, condition, "shop:web", is_over)


def test_the_oracle_wants_an_alarm_at_the_end_of_its_delay() -> None:
    scores = [score(world_with(), [told(at)]) for at in (1_070.0, 1_200.0, 1_400.0)]
    assert [(each.late, each.missed) for each in scores] == [(0, 0), (1, 0), (0, 1)]


def test_the_oracle_finds_what_is_told_too_early_or_is_not_so() -> None:
    alarms = [told(990.0), told(1_005.0), told(1_070.0, "ended")]
    assert [score(world_with(), [alarm]).false for alarm in alarms] == [1, 1, 1]


def test_the_oracle_finds_what_is_told_twice() -> None:
    assert score(world_with(), [told(1_070.0), told(1_100.0)]).doubled == 1


def test_the_oracle_finds_that_something_was_called_over_which_was_not() -> None:
    assert score(world_with(), [told(1_070.0), told(2_000.0, is_over=True)]).false == 1


def test_the_oracle_wants_no_alarm_of_what_a_deploy_mutes_and_one_if_it_stays() -> None:
    short, lasting = world_with(Piece(1_000.0, "missing"), Piece(1_300.0)), world_with()
    for world in (short, lasting):
        world.truths["shop:web"].leases = [(990.0, 1_310.0)]
    assert [score(world, []).missed for world in (short, lasting)] == [0, 1]
