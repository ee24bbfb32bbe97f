"""When a group of deliveries is told: those of one channel, host and severity. Pure: time is an argument."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How soon a new group is told, how often what is new in it, and how often that it still stands."""

    first: timedelta
    every: timedelta
    repeat: timedelta


AT_ONCE = Pace(first=timedelta(seconds=30), every=timedelta(minutes=5), repeat=timedelta(hours=4))
GATHERED = Pace(first=timedelta(hours=1), every=timedelta(days=1), repeat=timedelta(days=7))
"""For what nobody has to hurry for."""

CLOCKS_DIFFER = timedelta(minutes=1)
"""By so much the clocks of two machines may differ."""


def pace_of(severity: str) -> Pace:
    """Return the pace of a severity."""
    return GATHERED if severity == "digest" else AT_ONCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What is known of a group.

    `waits_since` is when the oldest delivery that is not told yet was made. `told_at` is when the group was told last.
    `stands` tells whether anything stands of what was told, and `is_over` whether its end has been told as well, or
    nothing has ever been told: then what comes begins a new group.
    """

    severity: str
    waits_since: datetime | None = None
    told_at: datetime | None = None
    stands: bool = False
    is_over: bool = True


def is_due(group: Group, at: datetime) -> bool:
    """Tell whether the group is to be told now."""
    pace = pace_of(group.severity)
    told_at = None if group.is_over else _believed(group.told_at, at)
    was_told_within = at - told_at if told_at else None
    if group.waits_since:
        has_waited = at - (_believed(group.waits_since, at) or at - pace.first) >= pace.first
        return has_waited and (was_told_within is None or was_told_within >= pace.every)
    return group.stands and (was_told_within is None or was_told_within >= pace.repeat)


def _believed(moment: datetime | None, at: datetime) -> datetime | None:
    """Return a moment, or None if it lies ahead: then a wrong clock has noted it, and it counts as long ago."""
    return moment if moment and moment <= at + CLOCKS_DIFFER else None
