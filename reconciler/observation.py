"""What a daemon said: observations, skips and the snapshot that holds them; state normalisation.

Pure: imports no framework, reads no clock, does no I/O.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

MAX_CONTAINER_ID_CHARS = 64
MAX_IMAGE_CHARS = 512
MAX_STATE_CHARS = 32
MAX_PORT = 65_535

OWN_STATES = frozenset({"missing", "failed"})
"""States that the sweep and the deployer say, and no daemon."""

_HEALTH = re.compile(r"\((healthy|unhealthy|health: starting)\)$")
_STOPPED = frozenset({"exited", "dead", "stopped"})
_LIVE = frozenset({"running", "restarting", "paused", "created"})


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
    """One listed container, in our own terms; `created` is in unix seconds, port 0 means none."""

    container_id: str
    name: str
    image: str
    state: str
    labels: Mapping[str, str]
    port: int
    created: int
    health: str = ""

    @property
    def is_live(self) -> bool:
        """Tell whether the container runs or is about to."""
        return self.state in _LIVE


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
    """One complete, successful listing of one daemon."""

    observations: tuple[Observation, ...]
    refusals: tuple[Skip, ...] = ()

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


def health_of(status: str) -> str:
    """Return what a `Status` such as `Up 2 hours (unhealthy)` says of the container's health, or nothing."""
    found = _HEALTH.search(status)
    return "starting" if found and found[1] == "health: starting" else found[1] if found else ""


def normalise_state(state: str) -> str:
    """Map a daemon's state to the index's: exited, dead and stopped are `stopped`, others stay, lower-case."""
    state = state.lower()
    return "stopped" if state in _STOPPED else state


def main_port(ports: Iterable[tuple[int, str]]) -> int:
    """Return the lowest container port, TCP before others, or 0: a daemon's order is not stable."""
    return min(((protocol != "tcp", port) for port, protocol in ports), default=(False, 0))[1]
