"""Which looks at a host its events lead to, and when they are due. Pure: time is an argument, and nothing is random.

Times are in seconds, by one clock that only moves forward. An Engine may announce an event before its listing
shows it (Docker 20.10 says `die` 20 to 60 ms early, on a busy machine up to 250 ms), so one event leads to several
looks. No number of events leads to more than one look a window, and one more in the first of them.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

MOST_ANNOUNCED = 50
"""Of how many events before a look the times are kept, the latest ones. Redis keeps as many (`lock.EVENTS_KEPT`)."""
SETTLED_SECONDS = 0.5
"""When the last look follows the last event, for an Engine under load whose listing is slow to show it."""


class Look(Enum):
    """One of the looks that follow an event."""

    NOW = "as soon as a listing may be expected to show it, and a window has passed since the last look"
    SOON = "a quarter of a window after the first look of a burst"
    WINDOW = "a window after the event"
    SETTLED = "when nothing has happened for SETTLED_SECONDS"


@dataclass(frozen=True, slots=True, kw_only=True)
class DueLook:
    """A look to make now; `event_ns` is the Engine's own time of the first event that it may show, if there is one.

    `announced` has the times of all events since the look before.
    """

    host: str
    event_ns: int | None
    announced: tuple[int, ...] = ()


@dataclass(slots=True)
class _Want:
    """One kind of look at one host: when it is due for the first event, and again for the last event since then."""

    due: float
    event_ns: int | None
    last_due: float
    last_event_ns: int | None


class Schedule:
    """The looks that are wanted, by host. For one thread only, or behind a lock."""

    def __init__(self, window_seconds: float) -> None:
        self._window = window_seconds
        self._wants: dict[str, dict[Look, _Want]] = {}
        self._not_before: dict[str, float] = {}
        self._announced: dict[str, deque[int]] = {}

    def want(self, host: str, at: float, event_ns: int | None = None) -> None:
        """Want one look at a host, as soon as its window allows."""
        self._add(host, Look.NOW, at, event_ns)

    def note_event(self, host: str, at: float, event_ns: int | None, listed_after: float = 0.0) -> None:
        """Want every look that an event leads to. The first is made `listed_after` seconds after the event."""
        if event_ns is not None:
            self._announce(host, (event_ns,))
        is_first_of_burst = at >= self._not_before.get(host, at) and Look.NOW not in self._wants.get(host, {})
        if is_first_of_burst:
            self._add(host, Look.SOON, at + listed_after + self._window / 4, event_ns)
        self._add(host, Look.NOW, at + listed_after, event_ns)
        self._add(host, Look.WINDOW, at + self._window, event_ns)
        self._wants[host][Look.SETTLED] = _Want(at + SETTLED_SECONDS, event_ns, at + SETTLED_SECONDS, event_ns)

    def try_again(self, look: DueLook, at: float) -> None:
        """Want a look again that could not be made, no earlier than `at`."""
        self._not_before[look.host] = at
        self._announce(look.host, look.announced)
        self._add(look.host, Look.NOW, at, look.event_ns)
        self._wants[look.host].pop(Look.SOON, None)

    def forget(self, host: str) -> None:
        """Drop the looks at a host that is not watched any more."""
        for each in (self._wants, self._not_before, self._announced):
            each.pop(host, None)

    def next_due(self) -> float | None:
        """Return when the next look is due, or None if none is wanted."""
        return min(map(self._host_due, self._wants), default=None)

    def take(self, at: float) -> DueLook | None:
        """Return the look that has been due the longest, and take all due looks at its host off the schedule."""
        host = min(self._wants, key=self._host_due, default=None)
        if host is None or self._host_due(host) > at:
            return None
        wants = self._wants[host]
        taken = {look: wants.pop(look) for look in list(wants) if self._look_due(host, look) <= at}
        for look, want in taken.items():
            # an event that came at almost the same moment has just had its look
            if want.last_due > at + self._window / 2:
                wants[look] = _Want(want.last_due, want.last_event_ns, want.last_due, want.last_event_ns)
        if not wants:
            del self._wants[host]
        if taken.keys() != {Look.SOON}:
            self._not_before[host] = at + self._window
        event_ns = _first(want.event_ns for want in taken.values())
        return DueLook(host=host, event_ns=event_ns, announced=tuple(self._announced.pop(host, ())))

    def _announce(self, host: str, times: Iterable[int]) -> None:
        """Remember the times of events for the next look."""
        self._announced.setdefault(host, deque(maxlen=MOST_ANNOUNCED)).extend(times)

    def _add(self, host: str, look: Look, due: float, event_ns: int | None) -> None:
        """Add a look, or add this event to the look that is wanted already."""
        want = self._wants.setdefault(host, {}).setdefault(look, _Want(due, event_ns, due, event_ns))
        want.event_ns = event_ns if want.event_ns is None else want.event_ns
        want.last_due, want.last_event_ns = max(want.last_due, due), event_ns

    def _host_due(self, host: str) -> float:
        """Return when the next look at a host is due."""
        return min(self._look_due(host, look) for look in self._wants[host])

    def _look_due(self, host: str, look: Look) -> float:
        """Return when a look is due: SOON as it is wanted, all others not before the window is over."""
        due = self._wants[host][look].due
        return due if look is Look.SOON else max(due, self._not_before.get(host, due))


def _first(event_times: Iterable[int | None]) -> int | None:
    """Return the earliest of the known times."""
    return min((event_ns for event_ns in event_times if event_ns is not None), default=None)
