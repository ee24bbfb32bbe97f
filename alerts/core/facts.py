"""What the index says at one moment, as far as it matters for incidents.

Pure: imports no framework, reads no clock, does no I/O.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from msgspec import Struct

from alerts.core.conditions import Condition

Key = tuple[Condition, str]
"""What an incident is known by while it is open: its condition and its subject."""


class RowFact(Struct, frozen=True, gc=False):
    """What the index says of a row. `restarts` is how often it restarted lately; `told` is its label for alerts."""

    id: str
    host: str
    workload_id: str = ""
    container_id: str = ""
    image_ref: str = ""
    state: str = "running"
    health: str = ""
    exit_code: int | None = None
    told: str = ""
    is_deploying: bool = False
    is_looping: bool = False
    is_orphan: bool = False
    restarts: int = 0


class HostFact(Struct, frozen=True, gc=False):
    """What the index says of a host.

    `seen_at` is the moment before a listing of it that was applied, `success_at` when a pass succeeded last.
    `error_at` is when a pass failed last, and None if the last one has not failed. `drift` is how many changes
    without events were found lately.
    """

    name: str
    is_enabled: bool = True
    is_blind: bool = False
    seen_at: datetime | None = None
    success_at: datetime | None = None
    error_at: datetime | None = None
    is_held: bool = False
    drift: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the index says at one moment.

    `rows` holds all rows that may be in trouble, and all that have an open incident. `ooms` are rows that a
    container ended of, for want of memory, since the last look. `fired` says how often what is not open has
    fired lately. `troubles` are what is wrong with the index itself, in words.
    """

    rows: Mapping[str, RowFact] = field(default_factory=dict)
    hosts: Mapping[str, HostFact] = field(default_factory=dict)
    ooms: frozenset[str] = frozenset()
    fired: Mapping[Key, int] = field(default_factory=dict)
    troubles: Mapping[Condition, str] = field(default_factory=dict)
