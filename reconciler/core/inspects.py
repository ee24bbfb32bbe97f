"""Which containers are worth an inspect after a listing, and in which order.

Pure: imports no framework, reads no clock, does no I/O.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as replaced
from datetime import datetime, timedelta
from math import sqrt
from typing import TypeVar

from msgspec.structs import replace

from reconciler.core.dispatch import Row, Sighting
from reconciler.core.last_inspect import DetailsState, LastInspect
from reconciler.core.observation import RESTARTING, RUNNING, STOPPED
from reconciler.core.plan import Change, Inspect, Kind, Plan

GOLDEN_RATIO = (1 + sqrt(5)) / 2
MOST_IN_VAIN = 3
"""How many more inspects may fail than succeed in one pass, for each reason to inspect."""
ROUNDING = timedelta(seconds=2)
"""A listing's ages and a daemon's `Date` are in whole seconds."""
YOUNG_FOR = ROUNDING + timedelta(seconds=1)
"""If details were told sooner than this after a start or an end, a listing might not show another one after that."""
RIPE_SECONDS = 4
"""From this age on, in a listing's whole seconds, details are told later than YOUNG_FOR after the start or the end."""

_ENDED = frozenset({STOPPED, RESTARTING})

_GROUPS = (Inspect.CHANGED, Inspect.SUSPECTED, Inspect.OWED)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HostRows:
    """A host's rows by id. `owed` holds, by row id, those whose details are owed: the container that they describe.

    `young` are the ids of rows whose details were told soon after a start or an end; these are in `owed`, too.
    """

    rows: Mapping[str, Row]
    owed: Mapping[str, str]
    young: Collection[str]


def to_inspect(plan: Plan, table: HostRows, sightings: Iterable[Sighting], most: int, turn: int) -> list[Change]:
    """Return, as changes, the containers that may be worth an inspect.

    First come those that have ended, then others that have changed, then those that may have been restarted,
    and at last those whose details are owed, at most `most` of these. Each row is there once at most: a
    container that lost the contest for a row is left out. Each turn begins at another place of each group, so
    that no container is always the last.
    """
    changes = {change.after.id: change for change in plan.changes if change.kind is not Kind.MISSING}
    rows = table.rows
    found: dict[Inspect, list[Sighting]] = defaultdict(list)
    for sighting in _worth_a_thought(sightings, table.owed):
        inspect = _inspect_of(sighting, table, rows.get(sighting.row.id))
        if inspect is not Inspect.NOTHING and _has_its_row(sighting, changes, rows):
            found[inspect].append(sighting)
    changed = [change for change in changes.values() if change.inspect is Inspect.CHANGED]
    changed += [_rebound(_question(each, changes, rows, Inspect.CHANGED)) for each in found[Inspect.CHANGED]]
    return [
        *_from_turn([change for change in changed if change.after.state in _ENDED], turn),
        *_from_turn([change for change in changed if change.after.state not in _ENDED], turn),
        *(_question(each, changes, rows, Inspect.SUSPECTED) for each in _from_turn(found[Inspect.SUSPECTED], turn)),
        *(_question(each, changes, rows, Inspect.OWED) for each in _from_turn(found[Inspect.OWED], turn)[:most]),
    ]


def _worth_a_thought(sightings: Iterable[Sighting], owed: Collection[str]) -> list[Sighting]:
    """Return the sightings of which `_inspect_of` may say anything: quickly, since of most it says nothing."""
    return [
        sighting
        for sighting in sightings
        if (seen := sighting.observation).up_seconds is not None
        or seen.ended_seconds is not None
        or seen.health is None
        or seen.state == RESTARTING
        or sighting.row.id in owed
    ]


def _inspect_of(sighting: Sighting, table: HostRows, row: Row | None) -> Inspect:
    """Return what an inspect of this container is for, apart from the plan."""
    observation, details_of = sighting.observation, table.owed.get(sighting.row.id)
    is_young = observation.up_seconds is not None or observation.ended_seconds is not None
    if details_of not in (None, "", sighting.row.container_id):
        return Inspect.CHANGED
    # who is too young for its second inspect takes no place of those whose details are owed
    if details_of is not None and not (is_young and sighting.row.id in table.young):
        return Inspect.OWED
    has_check = observation.hides_health and row is not None and bool(row.health)
    return Inspect.SUSPECTED if is_young or has_check or sighting.row.state == RESTARTING else Inspect.NOTHING


def _has_its_row(sighting: Sighting, changes: Mapping[str, Change], rows: Mapping[str, Row]) -> bool:
    """Tell whether the plan gives the row to this container, and does not want to inspect it anyway."""
    change = changes.get(sighting.row.id)
    row = change.after if change else rows.get(sighting.row.id)
    is_asked_about = change is not None and change.inspect is Inspect.CHANGED
    return row is not None and row.container_id == sighting.row.container_id and not is_asked_about


def _question(sighting: Sighting, changes: Mapping[str, Change], rows: Mapping[str, Row], inspect: Inspect) -> Change:
    """Return the row's change, or one that changes nothing yet."""
    if change := changes.get(sighting.row.id):
        return replaced(change, inspect=inspect)
    row = rows[sighting.row.id]
    return Change(Kind.DETAIL, row, row, False, "", sighting.observation, inspect, path=sighting.path)


def _rebound(change: Change) -> Change:
    """Remove what an inspect told about another container: a deployer has bound the row to this one since."""
    exit_code = change.observation.exit_code if change.observation else None
    cause = change.cause or "its details told of another container"
    return replaced(change, after=replace(change.after, exit_code=exit_code), cause=cause)


def _from_turn(found: Sequence[T], turn: int) -> list[T]:
    """Return the list rotated, so that it begins at another place each turn; places of nearby turns are far apart."""
    first = int(_fraction(turn, GOLDEN_RATIO) * len(found))
    return [*found[first:], *found[:first]]


def _fraction(turn: int, irrational: float) -> float:
    """Return a number from 0 to 1 so that the numbers of consecutive turns are spread evenly.

    The numbers of every second or third turn are, too, as when other passes of the host fail.
    """
    return turn * irrational % 1


def worth_asking(
    wanted: Iterable[Change], known: Mapping[str, LastInspect], answered_at: datetime | None
) -> list[Change]:
    """Return the changes with what their rows say so far (`known`, by row id), without those that need no inspect."""
    changes = [replaced(change, known=known.get(change.after.id)) for change in wanted]
    return [change for change in changes if _is_worth_asking(change, answered_at)]


def _is_worth_asking(change: Change, answered_at: datetime | None) -> bool:
    """Tell whether an inspect may tell something new."""
    if change.inspect is not Inspect.SUSPECTED:
        return True
    is_young = change.known is not None and change.known.details_state == DetailsState.YOUNG
    is_due = is_young and _is_ripe(change)
    return is_due or _may_have_restarted(change, answered_at) or _may_have_other_health(change)


def _may_have_other_health(change: Change) -> bool:
    """Tell whether the container has a health check of whose outcome its daemon's listing tells nothing."""
    is_stuck = change.known is not None and change.known.details_state == DetailsState.STUCK
    hides = change.observation is not None and change.observation.hides_health
    return hides and change.after.health != "" and not is_stuck


def _is_ripe(change: Change) -> bool:
    """Tell whether the container is old enough that the next answer about it settles when it started or ended."""
    seen = change.observation
    if seen is None:
        return True
    age = seen.ended_seconds if seen.up_seconds is None else seen.up_seconds
    return age is None or age >= RIPE_SECONDS


def _may_have_restarted(change: Change, answered_at: datetime | None) -> bool:
    """Tell whether a container has started or ended later than its row says, both by its daemon's own clock.

    A container that is restarting may have done both at any time.
    """
    known = change.known
    if known is None:
        return False
    is_stuck = known.details_state == DetailsState.STUCK
    if change.after.state == RESTARTING:
        return not is_stuck
    is_up = change.after.state == RUNNING
    # one that ran when it was inspected has told no end, or an older one; it has ended after that start at least
    last = known.started_at if is_up else known.finished_at or known.started_at
    listed = listed_start(change, answered_at) if is_up else listed_end(change, answered_at)
    if listed is None:
        return False
    return is_stuck if last is None else listed - last > ROUNDING


def listed_start(change: Change, answered_at: datetime | None) -> datetime | None:
    """Return when a container that runs was started, by the listing, if that is less than a minute ago."""
    if change.observation is None or change.after.state != RUNNING:
        return None
    return _before(answered_at, change.observation.up_seconds)


def listed_end(change: Change, answered_at: datetime | None) -> datetime | None:
    """Return when a container ended, by the listing, if that is less than a minute ago."""
    if change.observation is None or change.after.state not in _ENDED:
        return None
    return _before(answered_at, change.observation.ended_seconds)


def _before(answered_at: datetime | None, seconds: int | None) -> datetime | None:
    return None if answered_at is None or seconds is None else answered_at - timedelta(seconds=seconds)


def in_turn(wanted: Sequence[Change], most: int, turn: int) -> list[Change]:
    """Return what this turn inspects, at most `most`. Each group leaves half of the room to the groups after it."""
    asked: list[Change] = []
    groups = [[change for change in wanted if change.inspect is inspect] for inspect in _GROUPS]
    for number, group in enumerate(groups):
        left = most - len(asked)
        # half a place is a whole one in about every second turn, so that each group gets even a single place sometimes
        half = int(left / 2 + _fraction(turn, sqrt(number + 2)))
        asked += group[: left - min(half, sum(map(len, groups[number + 1 :])))]
    return asked
