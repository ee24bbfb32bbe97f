"""The breaker: when most of a host's rows would go missing at once, a second listing has to agree first.

Pure: imports no framework, reads no clock, does no I/O. It withholds missing changes and nothing
else: what a listing does hold is true whatever it lacks.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from reconciler.core.dispatch import Row
from reconciler.core.observation import MISSING
from reconciler.core.plan import Kind, Plan

OUTDATED_SECONDS = 600.0
"""A listing held for longer is no first of two: too much may have happened since."""


class Limits(NamedTuple):
    """More than `share` of a host's present rows, and at least `least`, is a mass; confirmed after `seconds`."""

    share: float
    least: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What is held back of a host: the containers that a listing lacked, since when, whose listing, and why."""

    since: datetime
    suspects: frozenset[str]
    engine_id: str
    reason: str


class Evidence(NamedTuple):
    """What is known of a host besides the listing.

    Rows present before it, what is held, what the Engine calls itself, and why it is in doubt, if it is.
    `can_sweep`: the listing names all its containers, so that a lack of them says something.
    """

    present: int
    hold: Held | None = None
    engine_id: str = ""
    doubt: str = ""
    can_sweep: bool = True


class Safeguarded(NamedTuple):
    """A plan that may be applied, and what of it is held back, if anything."""

    plan: Plan
    hold: Held | None


def safeguard(plan: Plan, evidence: Evidence, at: datetime, limits: Limits) -> Safeguarded:
    """Withhold a sweep that is a mass, or whose Engine is in doubt, until a later listing agrees with it.

    `at` is the moment before the listing. A row goes missing if its container was lacking in a held
    listing of the same Engine, at least `limits.seconds` earlier, and is lacking still. A listing that
    is no mass and in no doubt lifts the hold.
    """
    if not evidence.can_sweep:
        return Safeguarded(plan, evidence.hold)
    lacking = frozenset(change.after.container_id for change in plan.sweep)
    is_mass = len(plan.sweep) >= limits.least and len(plan.sweep) > limits.share * evidence.present
    if not lacking or not (is_mass or evidence.doubt):
        return Safeguarded(plan, None)
    hold = _first_of_two(evidence, at)
    is_due = hold is not None and at - hold.since >= timedelta(seconds=limits.seconds)
    confirmed = lacking & hold.suspects if hold and is_due else frozenset()
    if lacking == confirmed:
        return Safeguarded(plan, None)
    reason = evidence.doubt or f"{len(plan.sweep)} of {evidence.present} present rows would go missing"
    if hold is None or is_due:
        hold = Held(since=at, suspects=lacking - confirmed, engine_id=evidence.engine_id, reason=reason)
    else:
        # too early to count as the second look; what is there again must be lacking anew
        hold = replace(hold, suspects=hold.suspects & lacking, reason=reason)
    return Safeguarded(_without(plan, lacking - confirmed), hold)


def _first_of_two(evidence: Evidence, at: datetime) -> Held | None:
    """Return the hold if this listing can be the second: of the same Engine, after it, and not long after it."""
    hold = evidence.hold
    if hold is None or hold.engine_id != evidence.engine_id:
        return None
    return hold if timedelta() <= at - hold.since <= timedelta(seconds=OUTDATED_SECONDS) else None


def present_rows(rows: Iterable[Row]) -> int:
    """Count rows whose container was there."""
    return sum(1 for row in rows if row.container_id and row.state != MISSING)


def _without(plan: Plan, containers: frozenset[str]) -> Plan:
    kept = (c for c in plan.changes if c.kind is not Kind.MISSING or c.after.container_id not in containers)
    return replace(plan, changes=tuple(kept))
