"""How bad something is: one level for each trouble, state and condition, from which every colour follows. Pure."""

from enum import StrEnum

from reconciler.models import Condition, State, Trouble


class Level(StrEnum):
    """How bad something is; each has a colour, a sign and an icon of its own. The worst comes first."""

    DOWN = "down"
    WARN = "warn"
    UNKNOWN = "unknown"
    WELL = "well"


_TROUBLES = {
    Trouble.UNKNOWN: Level.UNKNOWN,
    Trouble.UNHEALTHY: Level.WARN,
    Trouble.STUCK: Level.WARN,
    Trouble.PAUSED: Level.WARN,
    Trouble.ORPHAN: Level.WARN,
}
_TROUBLES_OF_STATES = {
    State.MISSING: Trouble.MISSING,
    State.FAILED: Trouble.FAILED,
    State.RESTARTING: Trouble.RESTARTING,
    State.PAUSED: Trouble.PAUSED,
}
CONDITION_LEVELS = {
    Condition.FAILING: Level.UNKNOWN,
    Condition.STALE: Level.UNKNOWN,
    Condition.HELD: Level.WARN,
    Condition.NEW: Level.UNKNOWN,
}
"""Conditions that want somebody. A host that is off was switched off by a person."""


def level_of(trouble: Trouble) -> Level:
    """Return how bad a trouble is."""
    return _TROUBLES.get(trouble, Level.DOWN)


def level_of_state(state: str, exit_code: int | None) -> Level:
    """Return how bad a state is by itself: what has ended with an error is as bad as that trouble."""
    if state == State.STOPPED:
        return level_of(Trouble.ENDED) if exit_code else Level.WELL
    trouble = _TROUBLES_OF_STATES.get(State(state)) if state in State.values else None
    return level_of(trouble) if trouble else Level.WELL


def level_of_condition(condition: Condition) -> Level:
    """Return how bad the condition of a host is."""
    return CONDITION_LEVELS.get(condition, Level.WELL)
