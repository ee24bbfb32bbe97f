"""What goes wrong, when and for how long: drawn from seeded dice, so that a storm can be had again."""

import random
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from simulator import EVENTS, EVERYTHING, INSPECTS, LISTING, Failure
from soak.world import WITH_CLOCKS, World, freeze

STORM_SECONDS = 20.0
FAULTS = 8
LONGEST_SECONDS = 8.0
LIES: Sequence[tuple[Failure, str]] = (
    (Failure.HANG, EVERYTHING),
    (Failure.HANG, INSPECTS),
    (Failure.ERROR, LISTING),
    (Failure.RANDOM_ERROR, INSPECTS),
    (Failure.TRUNCATED, LISTING),
    (Failure.TRUNCATED_CHUNKED, LISTING),
    (Failure.NOT_JSON, LISTING),
    (Failure.NOT_A_LIST, LISTING),
    (Failure.REFUSED, EVERYTHING),
    (Failure.SILENT, EVENTS),
    (Failure.GARBAGE, EVENTS),
    (Failure.SKIP, EVENTS),
    (Failure.ENDS, EVENTS),
)


class Server(Protocol):
    """A server that can be killed, and stopped with SIGSTOP."""

    @property
    def pid(self) -> int:
        """Return its process id."""

    def kill(self) -> None:
        """Kill it, as a crash would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that goes wrong at a time of the storm and ends at another, both in seconds from its beginning."""

    what: str
    at: float
    until: float
    begin: Callable[[], object]
    end: Callable[[], object]


def draw(world: World, dice: random.Random) -> list[Fault]:
    """Draw the faults of one storm, of which no two strike the same thing."""
    kinds = [_of_process, _of_process, _of_process, _of_store, _of_engine, _of_clock, _of_lies, _of_lies, _of_lies]
    drawn = [kind(world, dice) for kind in dice.choices(kinds, k=FAULTS)]
    return list({fault.what.partition(" ")[0]: fault for fault in drawn}.values())


def _of_process(world: World, dice: random.Random) -> Fault:
    name = dice.choice(list(world.names))
    if dice.random() < 0.5:
        return _fault(dice, f"{name} is killed", lambda: world.kill(name), lambda: None)
    begin, end = (lambda: world.send(name, signal.SIGSTOP)), (lambda: world.send(name, signal.SIGCONT))
    return _fault(dice, f"{name} is stopped", begin, end)


def _of_store(world: World, dice: random.Random) -> Fault:
    if dice.random() < 0.5:
        return _of_server(dice, "PostgreSQL", world.postgres, world.postgres.restart)
    return _of_server(dice, "Valkey", world.valkey, world.valkey.start)


def _of_engine(world: World, dice: random.Random) -> Fault:
    name = dice.choice(list(world.engines))
    return _of_server(dice, name, world.engines[name], world.engines[name].start)


def _of_server(dice: random.Random, name: str, server: Server, start: Callable[[], object]) -> Fault:
    if dice.random() < 0.5:
        return _fault(dice, f"{name} is killed", server.kill, start)

    def begin() -> None:
        freeze(server.pid, signal.SIGSTOP)

    def end() -> None:
        freeze(server.pid, signal.SIGCONT)

    return _fault(dice, f"{name} is stopped", begin, end)


def _of_clock(world: World, dice: random.Random) -> Fault:
    name, seconds = dice.choice(WITH_CLOCKS), dice.choice([-3600, -90, -5, 5, 90, 3600])
    what = f"clock of {name} is wrong by {seconds} s"
    return _fault(dice, what, lambda: world.set_clock(name, seconds), lambda: world.set_clock(name, 0))


def _of_lies(world: World, dice: random.Random) -> Fault:
    names = dice.sample(list(world.simulated), 5)
    failure, path = dice.choice(LIES)

    def begin() -> None:
        for name in names:
            world.simulated[name].fail(failure, path)

    def end() -> None:
        for name in names:
            world.simulated[name].heal()

    return _fault(dice, f"{failure.value} from {', '.join(names)}", begin, end)


def _fault(dice: random.Random, what: str, begin: Callable[[], object], end: Callable[[], object]) -> Fault:
    at = dice.uniform(0, STORM_SECONDS / 2)
    until = min(STORM_SECONDS, at + dice.uniform(1, LONGEST_SECONDS))
    return Fault(what=what, at=at, until=until, begin=begin, end=end)
