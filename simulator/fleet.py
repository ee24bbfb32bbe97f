"""Many engines in one process: what changes among them, and which of them hang."""

import random
import time
from collections.abc import Sequence

from simulator.container import Container
from simulator.engine import Engine
from simulator.failures import EVERYTHING, Failure
from simulator.population import populate

API_VERSION = "1.52"


class Fleet:
    """Engines with the same number of containers each. No two share a container: an engine's number is its seed."""

    def __init__(self, engines: int, containers: int, *, api_version: str = API_VERSION) -> None:
        self.engines: Sequence[Engine] = [Engine(api_version=api_version) for _ in range(engines)]
        self.hanging: Sequence[int] = ()
        self._dice = random.Random(0)  # noqa: S311 - a repeatable sequence is wanted
        for number, engine in enumerate(self.engines):
            populate(engine, containers, seed=number)
            # encoded now, so that the first round costs as much as the others
            engine.world.listing(everything=True, filters={})

    def hang(self, share: float) -> Sequence[int]:
        """Let a share of the engines, evenly spread, answer nothing from now on; return their numbers."""
        count = round(len(self.engines) * share)
        self.hanging = [(2 * number + 1) * len(self.engines) // (2 * count) for number in range(count)]
        for number in self.hanging:
            self.engines[number].fail(Failure.HANG, EVERYTHING)
        return self.hanging

    def heal(self) -> None:
        """Lift every failure of every engine."""
        self.hanging = ()
        for engine in self.engines:
            engine.heal()

    def change(self, share: float) -> Sequence[Sequence[str]]:
        """Change a share of each engine's containers, without events: stop those that run, start the others.

        Returns the IDs by engine.
        """
        return [self._change(engine, share) for engine in self.engines]

    def happen(self, engine: int, container: int) -> tuple[str, str]:
        """Let a container of an engine die or start, with its events; return its ID and its new state."""
        it = self.engines[engine]
        container_id = list(it.containers)[container]
        (it.die if it.containers[container_id].is_up else it.start)(container_id)
        return container_id, it.containers[container_id].state

    def states(self) -> Sequence[dict[str, str]]:
        """Return the state of every container by ID, by engine."""
        return [{each.id: each.state for each in engine.containers.values()} for engine in self.engines]

    def _change(self, engine: Engine, share: float) -> Sequence[str]:
        chosen = self._dice.sample(list(engine.containers), round(len(engine.containers) * share))
        for container_id in chosen:
            engine.amend(container_id, **_turned(engine.containers[container_id]))
        return chosen


def _turned(container: Container) -> dict[str, str | float | int]:
    if container.is_up:
        return {"state": "exited", "finished_at": time.time(), "exit_code": 137}
    return {"state": "running", "started_at": time.time(), "exit_code": 0}
