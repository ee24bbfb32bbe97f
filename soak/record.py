"""What was done to every container, in order and when: what the index is judged by. Imports nothing of the index."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

GONE = "gone"
"""The last state of a container that was removed."""
EVERY_HOST = ""


@dataclass(frozen=True, slots=True)
class Span:
    """Some time, from one moment to another; moments are seconds of the Unix epoch."""

    begins: float
    ends: float


@dataclass(frozen=True, slots=True)
class Moment:
    """What a container became, and when."""

    state: str
    at: float


@dataclass(slots=True)
class Life:
    """One container: its host, and what it became, in order."""

    host: str
    moments: list[Moment] = field(default_factory=list)

    def state(self, at: float) -> str:
        """Return its state at a moment; an empty text before it was made."""
        return next((each.state for each in reversed(self.moments) if each.at <= at), "")


class Record:
    """The lives of all containers, by ID, and when nobody could know of them. Any thread may use it."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        """Begin an empty record; a test has a clock of its own."""
        self._now = now
        self._lives: dict[str, Life] = {}
        self._unseen: dict[str, list[Span]] = defaultdict(list)
        self._lock = threading.Lock()
        self._doubted: set[str] = set()
        self.acts = 0

    def note(self, host: str, container_id: str, *states: str) -> None:
        """Note what a container is going through: before it begins, so that no reader knows of it earlier."""
        with self._lock:
            self.acts += 1
            at = self._now()
            self._lives.setdefault(container_id, Life(host)).moments.extend(Moment(state, at) for state in states)

    def note_unseen(self, span: Span, host: str = EVERY_HOST) -> None:
        """Note a time in which the index could not tell what happened on a host, though no outage says so."""
        with self._lock:
            self._unseen[host].append(span)

    def unseen(self, host: str) -> Sequence[Span]:
        """Return the times in which the index could not tell what happened on a host."""
        with self._lock:
            return [*self._unseen[host], *self._unseen[EVERY_HOST]]

    def is_gone(self, container_id: str, at: float | None = None) -> bool:
        """Tell whether the removal of a container had begun at a moment, or has by now. Of an unknown one: no."""
        with self._lock:
            life = self._lives.get(container_id)
            return life is not None and life.state(self._now() if at is None else at) == GONE

    def living(self) -> dict[str, tuple[str, str]]:
        """Return host and state of every container that is there, by ID."""
        with self._lock:
            last = {key: (life.host, life.moments[-1].state) for key, life in self._lives.items()}
        return {key: (host, state) for key, (host, state) in last.items() if state != GONE}

    def doubt(self, host: str) -> None:
        """Note that nobody knows what the containers of a host went through so far, because its Engine was killed."""
        with self._lock:
            self._doubted |= {key for key, life in self._lives.items() if life.host == host}

    def is_doubted(self, container_id: str) -> bool:
        """Tell whether nobody knows what a container went through."""
        with self._lock:
            return container_id in self._doubted

    def lives(self) -> dict[str, Life]:
        """Return a copy of all lives, by ID."""
        with self._lock:
            return {key: Life(life.host, list(life.moments)) for key, life in self._lives.items()}


def longest_seen(span: Span, unseen: Iterable[Span]) -> float:
    """Return for how many seconds of a span somebody could see, without a break."""
    longest, since = 0.0, span.begins
    for each in sorted(unseen, key=lambda each: each.begins):
        longest = max(longest, min(each.begins, span.ends) - since)
        since = max(since, each.ends)
    return max(longest, span.ends - since)
