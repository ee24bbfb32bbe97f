"""What was done to every container, in order: what the index is judged by. Imports nothing of the index."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

GONE = "gone"
"""The last entry of a container that was removed."""


@dataclass(slots=True)
class Life:
    """One container: its host, and the states that it was in, in order."""

    host: str
    states: list[str] = field(default_factory=list)

    @property
    def is_gone(self) -> bool:
        """Tell whether its removal has begun."""
        return self.states[-1:] == [GONE]


class Record:
    """The lives of all containers, by ID. Any thread may use it."""

    def __init__(self) -> None:
        self._lives: dict[str, Life] = {}
        self._lock = threading.Lock()
        self.acts = 0

    def note(self, host: str, container_id: str, *states: str) -> None:
        """Note what a container is going through: before it begins, so that no reader knows of it earlier."""
        with self._lock:
            self.acts += 1
            self._lives.setdefault(container_id, Life(host)).states.extend(states)

    def is_gone(self, container_id: str) -> bool:
        """Tell whether somebody has begun to remove a container. Of an unknown container: no."""
        with self._lock:
            life = self._lives.get(container_id)
            return life is not None and life.is_gone

    def living(self) -> dict[str, tuple[str, str]]:
        """Return host and state of every container that is there, by ID."""
        with self._lock:
            return {key: (life.host, life.states[-1]) for key, life in self._lives.items() if not life.is_gone}

    def states(self, container_id: str) -> Sequence[str]:
        """Return the states that a container went through, in order; none of an unknown one."""
        with self._lock:
            life = self._lives.get(container_id)
            return tuple(life.states) if life else ()


def happened(told: Sequence[str], done: Sequence[str]) -> str | None:
    """Return None if `told` is what happened, perhaps with gaps, or else the first state that did not happen.

    A state that is told for the second time must have happened for the second time. After GONE the row is a new one,
    whose history begins anew.
    """
    position = 0
    for state in told:
        if state == GONE:
            position = 0
            continue
        try:
            position = done.index(state, position) + 1
        except ValueError:
            return state
    return None
