"""One container of a simulated daemon, and the texts a daemon derives from it. Reads no clock."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Port = tuple[int, str] | tuple[int, str, int]

HOUR = 3600
DAY = 24 * HOUR
# Up to which age in seconds, how long a unit is, and which unit an age is told in.
AGES = (
    (60, 1, "seconds"),
    (HOUR, 60, "minutes"),
    (48 * HOUR, HOUR, "hours"),
    (14 * DAY, DAY, "days"),
    (60 * DAY, 7 * DAY, "weeks"),
    (730 * DAY, 30 * DAY, "months"),
    (math.inf, 365 * DAY, "years"),
)
SINGLE = {"seconds": "1 second", "minutes": "About a minute", "hours": "About an hour"}
HELD_UP = frozenset({"running", "paused", "restarting"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container as its daemon knows it."""

    id: str
    name: str
    created: int
    state: str = "running"
    image: str = "nginx:1"
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: Sequence[Port] = ()
    started_at: float | None = None
    finished_at: float | None = None
    exit_code: int = 0
    oom_killed: bool = False
    health: str | None = None
    restart_count: int = 0

    @property
    def is_up(self) -> bool:
        """Tell whether a listing without `all` shows it: a daemon counts paused and restarting as running."""
        return self.state in HELD_UP

    @property
    def since(self) -> float:
        """Return the moment from which the age in `Status` counts."""
        moment = self.started_at if self.state in {"running", "paused"} else self.finished_at
        return self.created if moment is None else moment

    def status(self, now: float, *, tells_health: bool = True) -> str:
        """Return the listing's `Status`; before API 1.52, only this text tells the exit code and Docker's health."""
        age = human_duration(now - self.since)
        match self.state:
            case "running":
                return f"Up {age}{self._health_suffix() if tells_health else ''}"
            case "paused":
                return f"Up {age} (Paused)"
            case "restarting":
                return f"Restarting ({self.exit_code}) {age} ago"
            case "exited":
                return f"Exited ({self.exit_code}) {age} ago"
            case "removing":
                return "Removal In Progress"
        return self.state.capitalize()

    def status_expires_at(self, now: float) -> float:
        """Return when `Status` will read differently, although the container has not changed."""
        if self.state not in HELD_UP and self.state != "exited":
            return math.inf
        age = max(now - self.since, 0)
        step = 1 if age < 60 else 60 if age < 3600 else 1800
        return self.since + (age // step + 1) * step

    def _health_suffix(self) -> str:
        if self.health is None:
            return ""
        return " (health: starting)" if self.health == "starting" else f" ({self.health})"


def human_duration(seconds: float) -> str:
    """Return an age in words, as docker/go-units does: ages of an hour or more are first rounded to whole hours."""
    if seconds < 1:
        return "Less than a second"
    rounded = seconds if seconds < HOUR else (seconds + HOUR / 2) // HOUR * HOUR
    unit_seconds, unit = next((unit_seconds, unit) for limit, unit_seconds, unit in AGES if rounded < limit)
    count = int(rounded // unit_seconds)
    return SINGLE.get(unit, f"1 {unit}") if count == 1 else f"{count} {unit}"
