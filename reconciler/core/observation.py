"""What a daemon said: observations, skips and the snapshot that holds them; state normalisation.

Pure: imports no framework, reads no clock, does no I/O.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct

MAX_CONTAINER_ID_CHARS = 64
MAX_IMAGE_CHARS = 512
MAX_STATE_CHARS = 32
MAX_PORT = 65_535

MISSING, MOVED, FAILED, GONE = "missing", "moved", "failed", "gone"
OWN_STATES = frozenset({MISSING, MOVED, FAILED, GONE})
"""States that the plan, a deployer and the history say, and no daemon."""
RUNNING, RESTARTING, PAUSED, STOPPED = "running", "restarting", "paused", "stopped"

HEALTHS = frozenset({"starting", "healthy", "unhealthy"})
MAX_NUMBER = 2**31 - 1
"""Largest exit code or restart count that every database stores."""

_HEALTH = re.compile(r"\((?:health: )?(starting|healthy|unhealthy)\)$")
_SECONDS = r"(?:(\d{1,2}) seconds?|(Less than a second))"
_UP = re.compile(rf"Up {_SECONDS}")
_ENDED = re.compile(rf"(?:Exited|Restarting) \((-?\d{{1,10}})\)(?: {_SECONDS} ago)?")
_STOPPED = frozenset({"exited", "dead", STOPPED})
_LIVE = frozenset({RUNNING, RESTARTING, PAUSED, "created"})


class Reason(StrEnum):
    """Why a listed container has not become a row's sighting."""

    MALFORMED = "malformed"
    DUPLICATE = "duplicate"
    BAD_LABEL = "bad_label"
    NO_NAME = "no_name"
    ONE_OFF = "one_off"
    UNKNOWN_INSTANCE = "unknown_instance"
    UNKNOWN_WORKLOAD = "unknown_workload"
    UNKNOWN_STACK = "unknown_stack"
    SUPERSEDED = "superseded"
    ROW_ON_OTHER_HOST = "row_on_other_host"


class Observation(Struct, frozen=True, gc=False):
    """One listed container, in our own terms; `created` is in unix seconds, port 0 means none.

    `up_seconds` is how long it has been up, and `ended_seconds` how long ago it ended, rounded down, by its
    daemon's own clock; None if that is a minute or more, or does not apply.
    """

    container_id: str
    name: str
    image: str
    state: str
    labels: Mapping[str, str]
    port: int
    created: int
    health: str = ""
    exit_code: int | None = None
    up_seconds: int | None = None
    ended_seconds: int | None = None

    @property
    def is_live(self) -> bool:
        """Tell whether the container runs or is about to."""
        return self.state in _LIVE

    def skip(self, reason: Reason, detail: str) -> "Skip":
        """Return that a pass leaves this container alone, and why."""
        return Skip(self.container_id, self.name, reason, detail)


class Details(Struct, frozen=True, gc=False):
    """What only an inspect tells of a container; times by the daemon's own clock, None: it has not happened.

    `exit_code` is that of its last end, None while it is up or was never started. `restart_count`
    counts what its restart policy did.
    """

    exit_code: int | None
    oom_killed: bool
    restart_count: int
    started_at: datetime | None
    finished_at: datetime | None


class Skip(NamedTuple):
    """A listed container that this pass leaves alone, and why; an unreadable id is empty."""

    container_id: str
    name: str
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One complete, successful listing of one daemon; `answered_at` is when, by its own clock, to the second."""

    observations: tuple[Observation, ...]
    refusals: tuple[Skip, ...] = ()
    answered_at: datetime | None = None

    @property
    def listed_ids(self) -> frozenset[str]:
        """Every container id the daemon named, usable or not."""
        return frozenset([o.container_id for o in self.observations] + [s.container_id for s in self.refusals])

    @property
    def names_every_container(self) -> bool:
        """Tell whether every item had a readable id: without that, absence proves nothing (I3)."""
        return all(refusal.container_id for refusal in self.refusals)

    @property
    def size(self) -> int:
        """Number of items in the listing."""
        return len(self.observations) + len(self.refusals)


class Status(NamedTuple):
    """What a listing's `Status` tells besides the state: health (empty: none), exit code, age in seconds."""

    health: str = ""
    exit_code: int | None = None
    up_seconds: int | None = None
    ended_seconds: int | None = None


@lru_cache(4096)
def read_status(status: str) -> Status:
    """Read a `Status` such as `Up 2 hours (unhealthy)` or `Exited (137) 3 minutes ago`; what it lacks is empty."""
    health = _HEALTH.search(status)
    ended = _ENDED.match(status)
    exit_code = int(ended[1]) if ended else None
    if exit_code is not None and abs(exit_code) > MAX_NUMBER:
        exit_code = None
    return Status(health[1] if health else "", exit_code, _seconds(_UP.match(status), 1), _seconds(ended, 2))


def _seconds(found: re.Match[str] | None, group: int) -> int | None:
    """Return the seconds of an age, in the group of this number or worded in the next; None if it has a minute."""
    if found is None or not (found[group] or found[group + 1]):
        return None
    return int(found[group] or 0)


def normalise_state(state: str) -> str:
    """Map a daemon's state to the index's: exited, dead and stopped are `stopped`, others stay, lower-case."""
    state = state.lower()
    return STOPPED if state in _STOPPED else state


def main_port(ports: Iterable[tuple[int, str]]) -> int:
    """Return the lowest container port, TCP before others, or 0: a daemon's order is not stable."""
    return min(((protocol != "tcp", port) for port, protocol in ports), default=(False, 0))[1]
