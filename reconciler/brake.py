"""The breaker: when most of a host's rows would go missing at once, a second listing has to agree first.

Pure: imports no framework, reads no clock, does no I/O. It withholds missing changes and nothing
else: what a listing does hold is true whatever it lacks.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from reconciler.dispatch import Row
from reconciler.plan import MISSING, Change, Kind, Plan


class Limits(NamedTuple):
    """More than `share` of a host's present rows, and at least `least`, is a mass; confirmed after `seconds`."""

    share: float
    least: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What is held back of a host: the containers that a listing lacked, since when, and why."""

    since: datetime
    suspects: frozenset[str]
    reason: str


class Standing(NamedTuple):
    """What is known of a host besides the listing: rows present before it, what is held, doubt of its Engine."""

    present: int
    hold: Hold | None = None
    doubt: str = ""


class Braked(NamedTuple):
    """A plan that may be applied, and what of it is held back, if anything."""

    plan: Plan
    hold: Hold | None


def brake(plan: Plan, standing: Standing, at: datetime, limits: Limits) -> Braked:
    """Withhold a sweep that is a mass, or whose Engine is in doubt, until a later listing agrees with it.

    `at` is the moment before the listing. A row goes missing if its container was lacking in a held
    listing at least `limits.seconds` earlier and is lacking still. A listing that is no mass and in
    no doubt lifts the hold.
    """
    present, hold, doubt = standing
    sweep = plan.sweep
    is_mass = len(sweep) >= limits.least and len(sweep) > limits.share * present
    if not sweep or not (is_mass or doubt):
        return Braked(plan, None)
    lacking = frozenset(_container(change) for change in sweep)
    is_due = hold is not None and at - hold.since >= timedelta(seconds=limits.seconds)
    confirmed = lacking & hold.suspects if hold and is_due else frozenset()
    if lacking == confirmed:
        return Braked(plan, None)
    reason = doubt or f"{len(sweep)} of {present} present rows would go missing"
    if hold is None or is_due:
        hold = Hold(since=at, suspects=lacking - confirmed, reason=reason)
    else:
        # too early to count as the second look; what is there again must be lacking anew
        hold = Hold(since=hold.since, suspects=hold.suspects & lacking, reason=reason)
    return Braked(_without(plan, lacking - confirmed), hold)


def present_rows(rows: Iterable[Row]) -> int:
    """Count rows whose container was there."""
    return sum(1 for row in rows if row.container_id and row.state != MISSING)


def _without(plan: Plan, containers: frozenset[str]) -> Plan:
    kept = (c for c in plan.changes if c.kind is not Kind.MISSING or _container(c) not in containers)
    return replace(plan, changes=tuple(kept))


def _container(change: Change) -> str:
    return change.after.container_id
