"""What a daemon said, in our own terms: observations, skips, and the snapshot that holds them.

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
MAX_HEALTH_CHARS = 16
MAX_PORT = 65_535

MISSING, MOVED, FAILED, GONE = "missing", "moved", "failed", "gone"
OWN_STATES = frozenset({MISSING, MOVED, FAILED, GONE})
"""States that only the plan, a deployer and the history may say, and no daemon."""
RUNNING, RESTARTING, PAUSED, STOPPED = "running", "restarting", "paused", "stopped"
STOPPING = "stopping"
"""Podman's word for a container that was told to end, and still lives."""

HEALTHS = frozenset({"starting", "healthy", "unhealthy"})
MAX_NUMBER = 2**31 - 1
"""The largest exit code or restart count that every database can store."""

_HEALTH = re.compile(r"\((?:health: )?(starting|healthy|unhealthy)\)$")
_SECONDS = r"(?:(\d{1,2}) seconds?|(Less than a second))"
_UP = re.compile(rf"Up {_SECONDS}")
_ENDED = re.compile(rf"(?:Exited|Restarting) \((-?\d{{1,10}})\)(?: {_SECONDS} ago)?")
_STOPPED = frozenset({"exited", "dead", STOPPED})
_LIVE = frozenset({RUNNING, RESTARTING, PAUSED, STOPPING, "created"})


class Reason(StrEnum):
    """Why a listed container did not become the sighting of a row."""

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

    `health` is empty if the container has no health check or does not run, and None if its daemon's listings
    never tell health.
    `up_seconds` is how long it has been up, and `ended_seconds` how long ago it ended, by its daemon's own
    clock and rounded down. They are None from one minute on, and if they do not apply.
    """

    container_id: str
    name: str
    image: str
    state: str
    labels: Mapping[str, str]
    port: int
    created: int
    health: str | None = ""
    exit_code: int | None = None
    up_seconds: int | None = None
    ended_seconds: int | None = None

    @property
    def is_live(self) -> bool:
        """Tell whether the container runs, or is about to, or is still ending."""
        return self.state in _LIVE

    @property
    def hides_health(self) -> bool:
        """Tell whether the container may have a health that its daemon's listing does not tell."""
        return self.health is None and self.state == RUNNING

    def skip(self, reason: Reason, detail: str) -> "Skip":
        """Return a skip: this pass leaves the container alone, and why."""
        return Skip(self.container_id, self.name, reason, detail)


class Details(Struct, frozen=True, gc=False):
    """What only an inspect tells about a container. Times are by the daemon's own clock; None: it did not happen.

    `exit_code` belongs to its last end; None while it is up, or if it was never started. `restart_count`
    counts the restarts by its restart policy. `health` is empty if it has no health check.
    """

    exit_code: int | None
    oom_killed: bool
    restart_count: int
    started_at: datetime | None
    finished_at: datetime | None
    health: str = ""


class Skip(NamedTuple):
    """A listed container that this pass leaves alone, and why; the id is empty if it could not be read."""

    container_id: str
    name: str
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One complete, successful listing of one daemon; `answered_at` is when it answered, by its own clock."""

    observations: tuple[Observation, ...]
    refusals: tuple[Skip, ...] = ()
    answered_at: datetime | None = None

    @property
    def listed_ids(self) -> frozenset[str]:
        """The ids of all containers that the daemon named, usable or not."""
        return frozenset([o.container_id for o in self.observations] + [s.container_id for s in self.refusals])

    @property
    def names_every_container(self) -> bool:
        """Tell whether every item had a readable id. If not, a container that seems absent may be there (I3)."""
        return all(refusal.container_id for refusal in self.refusals)

    @property
    def size(self) -> int:
        """Number of items in the listing."""
        return len(self.observations) + len(self.refusals)


class Status(NamedTuple):
    """What a listing's `Status` tells in addition to the state: health (empty: none), exit code, age in seconds."""

    health: str = ""
    exit_code: int | None = None
    up_seconds: int | None = None
    ended_seconds: int | None = None


@lru_cache(4096)
def read_status(status: str) -> Status:
    """Read a `Status` such as `Up 2 hours (unhealthy)` or `Exited (137) 3 minutes ago`; what is absent stays empty."""
    health = _HEALTH.search(status)
    ended = _ENDED.match(status)
    exit_code = int(ended[1]) if ended else None
    if exit_code is not None and abs(exit_code) > MAX_NUMBER:
        exit_code = None
    return Status(health[1] if health else "", exit_code, _seconds(_UP.match(status), 1), _seconds(ended, 2))


def _seconds(found: re.Match[str] | None, group: int) -> int | None:
    """Return an age in seconds from this group (a number) or the next one (words); None from one minute on."""
    if found is None or not (found[group] or found[group + 1]):
        return None
    return int(found[group] or 0)


def normalise_state(state: str) -> str:
    """Return a daemon's state in the index's words: exited, dead and stopped become `stopped`, others lower-case."""
    state = state.lower()
    return STOPPED if state in _STOPPED else state


def main_port(ports: Iterable[tuple[int, str]]) -> int:
    """Return the lowest container port, TCP before others, or 0. A daemon lists ports in no stable order."""
    return min(((protocol != "tcp", port) for port, protocol in ports), default=(False, 0))[1]
