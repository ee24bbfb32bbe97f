"""The safeguard: a mass of a host's rows goes missing only if two listings of the same Engine agree (I14).

Pure: imports no framework, reads no clock, does no I/O. It withholds only changes to missing, because what
a listing does hold is true, whatever it lacks.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated

from msgspec import Meta

from reconciler.core.dispatch import Row
from reconciler.core.observation import MISSING
from reconciler.core.plan import Change, Kind, Plan

Moment = Annotated[datetime, Meta(tz=True)]
"""A moment with its time zone, also when it is read from where it was stored."""
OUTDATED = timedelta(minutes=10)
"""A listing that ended longer ago than this cannot be the first of two: too much may have happened since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """More than `share` of a host's rows, and at least `least`, is a mass if they go missing within `window`."""

    share: float
    least: int
    window: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Containers that are held back: when the first listing that lacked them ended, and which Engine gave it.

    `engine_id` is None if the Engine did not say who it was. Such a listing cannot be the first of two.
    """

    since: Moment
    engine_id: str | None
    containers: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """Rows that one listing let go missing, and when that listing ended."""

    at: Moment
    rows: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What is remembered of a host's last listings: what is held back and why, and which rows went missing."""

    held: tuple[Held, ...] = ()
    swept: tuple[Swept, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who an Engine says it is.

    `name` is empty if the Engine has no lasting name, as Podman; None if it does not say, and then `silence`
    says why.
    """

    name: str | None
    silence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known about a host in addition to the plan.

    `rows` are as they were before the listing. `begun` and `ended` are when the listing began and ended, by
    the database's clock. `recorded` is who the Engine was until now (None: it has never said), `identity` who
    it says it is. If the listing does not name all its containers, `partial` holds those that it names; about
    all others it says nothing. Otherwise `partial` is None.
    """

    rows: Collection[Row]
    memory: Memory
    begun: datetime
    ended: datetime
    recorded: str | None
    identity: Identity
    partial: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a pass concludes: a plan that may be applied, what to remember, and who the Engine is.

    `confirm_after` is how long after this listing another one is due, if this one was the first to lack some
    containers.
    """

    plan: Plan
    memory: Memory = Memory()
    engine_id: str | None = None
    confirm_after: timedelta | None = None


def safeguard(plan: Plan, evidence: Evidence, limits: Limits) -> Verdict:
    """Withhold the part of a sweep that another listing has to agree with first.

    A sweep may go if it is no mass, counted together with what went missing within the window, and if there
    is no doubt which Engine it is. What is held back goes missing only if a listing that began a window later
    lacks it as well. What any listing in between holds is no longer suspect.
    """
    if evidence.partial is not None:
        held = _still_held(evidence.memory.held, evidence.partial)
        memory = replace(evidence.memory, held=held, reason=evidence.memory.reason if held else "")
        return Verdict(plan=plan, memory=memory, engine_id=_accepted(evidence, held))
    lacking = frozenset(change.after.container_id for change in plan.sweep)
    confirmed, held = _judge(evidence, lacking, limits.window)
    swept = _lately_swept(evidence, limits.window)
    reason = _doubt(evidence) or _mass(plan.sweep, swept, evidence, limits)
    suspects = lacking if reason else lacking & _containers(evidence.memory.held)
    if new := suspects - confirmed - _containers(held):
        held += (Held(since=evidence.ended, engine_id=evidence.identity.name, containers=new),)
    plan = _without(plan, _containers(held))
    if plan.sweep:
        swept += (Swept(at=evidence.ended, rows=frozenset(change.after.id for change in plan.sweep)),)
    return Verdict(
        plan=plan,
        memory=Memory(held=held, swept=swept, reason=(reason or evidence.memory.reason) if held else ""),
        engine_id=_accepted(evidence, held),
        confirm_after=limits.window if new else None,
    )


def withhold_sweep(plan: Plan) -> tuple[Plan, tuple[Change, ...]]:
    """Return what an overtaken pass may still do, and the sweep that it may not carry out.

    This pass does not know what the older pass, which applied meanwhile, has held back or let go.
    """
    return _without(plan, frozenset(change.after.container_id for change in plan.sweep)), plan.sweep


def is_present(row: Row) -> bool:
    """Tell whether the row's container was there when the host was last looked at."""
    return bool(row.container_id) and row.state != MISSING


def _judge(evidence: Evidence, lacking: frozenset[str], window: timedelta) -> tuple[frozenset[str], tuple[Held, ...]]:
    """Return the containers that this listing confirms to be gone, and those that stay held.

    Containers are in neither if the earlier listing came from another Engine or is too old.
    """
    name = evidence.identity.name
    confirmed: frozenset[str] = frozenset()
    waiting: list[Held] = []
    for held in evidence.memory.held:
        still = held.containers & lacking
        # the earlier listing ended before this one began, even if a clock that was set back says otherwise
        since = min(held.since, evidence.begun)
        waited = evidence.begun - since
        if not still or waited > OUTDATED or name not in (None, held.engine_id):
            continue
        if name is not None and waited >= window:
            confirmed |= still
        else:
            waiting.append(replace(held, since=since, containers=still))
    return confirmed, tuple(waiting)


def _lately_swept(evidence: Evidence, window: timedelta) -> tuple[Swept, ...]:
    """Return what went missing within the window before this listing."""
    begun = evidence.begun
    swept = (replace(swept, at=min(swept.at, begun)) for swept in evidence.memory.swept)
    return tuple(swept for swept in swept if begun - swept.at < window)


def _doubt(evidence: Evidence) -> str:
    """Return in words why this may be another Engine than the host's, or nothing."""
    recorded, identity = evidence.recorded, evidence.identity
    if recorded is None or identity.name == recorded:
        return ""
    return _silence(identity) or f"the Engine is {identity.name or 'nameless'}, and was {recorded or 'nameless'}"


def _silence(identity: Identity) -> str:
    """Return in words that the Engine does not say who it is, or nothing if it does."""
    return f"the Engine does not say who it is: it {identity.silence}" if identity.name is None else ""


def _mass(sweep: Sequence[Change], swept: Iterable[Swept], evidence: Evidence, limits: Limits) -> str:
    """Return in words how many rows would have gone missing within the window, or nothing if it is no mass."""
    if not sweep:
        return ""
    present = frozenset(row.id for row in evidence.rows if is_present(row))
    earlier = frozenset[str]().union(*(swept.rows for swept in swept)) - present
    count, total = len(sweep) + len(earlier), len(present) + len(earlier)
    if count < limits.least or count <= limits.share * total:
        return ""
    within = f" within {limits.window.total_seconds():g} s" if earlier else ""
    silence = _silence(evidence.identity)
    return f"{count} of {total} present rows would go missing{within}" + (f", and {silence}" if silence else "")


def _accepted(evidence: Evidence, held: Sequence[Held]) -> str | None:
    """Return who the host's Engine is from now on: a new one only when nothing of the host is held any more."""
    recorded, name = evidence.recorded, evidence.identity.name
    if name is None or (recorded is not None and held):
        return recorded
    return name


def _still_held(held: Iterable[Held], listed: frozenset[str]) -> tuple[Held, ...]:
    """Return what stays held after a listing that does not name all its containers."""
    left = (replace(held, containers=held.containers - listed) for held in held)
    return tuple(held for held in left if held.containers)


def _containers(held: Iterable[Held]) -> frozenset[str]:
    return frozenset[str]().union(*(held.containers for held in held))


def _without(plan: Plan, containers: frozenset[str]) -> Plan:
    """Return the plan without the changes that let rows of these containers go missing."""
    kept = (c for c in plan.changes if c.kind is not Kind.MISSING or c.after.container_id not in containers)
    return replace(plan, changes=tuple(kept))
