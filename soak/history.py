"""Judges what history tells of one container. Pure, and shares no code with the index."""

from collections.abc import Sequence
from dataclasses import dataclass

from soak.record import GONE

MISSING = "missing"
"""What the index tells of a container that was removed."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A state that a container was in; `must` says that it lasted so long in plain sight that history must tell it."""

    state: str
    must: bool = False


def fault_of(told: Sequence[str], done: Sequence[Stage]) -> str:
    """Return what is wrong with what is told of a container that went through these stages; an empty text if nothing.

    Stages may be left out that nobody had to see. But each state that is told must have happened, in this order and as
    often. `gone` is told if the row was deleted with its host; the row that is made anew may tell the same stage again.
    """
    places = {0}
    for stage in done:
        places = _after(places, told, Stage(stage.state))
    if len(told) not in places:
        return f"tells {told[max(places)]!r}, which did not happen then"
    places = {0}
    for stage in done:
        places = _after(places, told, stage)
        if not places:
            return f"does not tell {stage.state!r}, which lasted"
    return "" if len(told) in places else "leaves out what lasted, or else tells what did not happen"


def _after(places: set[int], told: Sequence[str], stage: Stage) -> set[int]:
    """Return how much may have been told when a stage ends, from how much may have been told when it began."""
    word = MISSING if stage.state == GONE else stage.state
    left_out = {place for place in places if not stage.must or (place and told[place - 1] == word)}
    now = {place + 1 for place in places if told[place : place + 1] == [word]}
    return _with_new_rows(left_out | now, told, word)


def _with_new_rows(places: set[int], told: Sequence[str], word: str) -> set[int]:
    """Add the places after a deletion of the row, and after the new row has told the same state."""
    found = set(places)
    waiting = list(places)
    while waiting:
        place = waiting.pop()
        if told[place : place + 1] == [GONE]:
            more = {place + 1} | ({place + 2} if told[place + 1 : place + 2] == [word] else set())
            waiting.extend(more - found)
            found |= more
    return found
