"""What goes wrong, when and for how long: drawn from seeded dice, so that a storm can be had again."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from soak.faults import CLOCK, DATABASE, ENGINES, HOSTS, LIES, PROCESSES, VALKEY, Act, Deal
from soak.world import World

STORM_SECONDS = 20.0
CALM_SECONDS = 45.0
"""Long enough for the judge to see gaps in history, which no outage explains then."""
CALM = "0"
LONGEST_SECONDS = 10.0
SHORTEST_SECONDS = 1.0
SUITS: Sequence[tuple[Sequence[Deal | None], int]] = (
    (DATABASE, 1),
    (VALKEY, 1),
    (ENGINES, 1),
    (PROCESSES, 2),
    (CLOCK, 1),
    (HOSTS, 1),
    (LIES, 3),
)
"""The kinds of faults, and how many of each a storm takes. The last storms of a row of six have seen all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that goes wrong at a time of the storm and ends at another, both in seconds from its beginning."""

    strikes: str
    what: str
    at: float
    until: float
    begin: Callable[[], object]
    end: Callable[[], object]
    hides: str | None


def draw(world: World, name: str) -> list[Fault]:
    """Draw the faults of the storm of this name, `SEED.NUMBER`; of some kinds there may be none, in a calm of all."""
    seed, _, number = name.partition(".")
    if number == CALM:
        return []
    dice = random.Random(name)
    acts: dict[str, Act] = {}
    for suit, (dealers, taken) in enumerate(SUITS):
        shuffled = random.Random(f"{seed} {suit}").sample(dealers, len(dealers))
        for place in range(int(number) * taken, int(number) * taken + taken):
            if deal := shuffled[place % len(shuffled)]:
                act = deal(world, dice)
                acts.setdefault(act.strikes, act)
    return [_fault(act, dice) for act in acts.values()]


def _fault(act: Act, dice: random.Random) -> Fault:
    at = dice.uniform(0, STORM_SECONDS / 2)
    until = min(STORM_SECONDS, at + dice.uniform(SHORTEST_SECONDS, LONGEST_SECONDS))
    return Fault(strikes=act.strikes, what=act.what, at=at, until=until, begin=act.begin, end=act.end, hides=act.hides)
