"""The safeguard: a mass of a host's rows goes missing only if two listings of the same Engine agree (I14).

Pure: imports no framework, reads no clock, does no I/O. It withholds missing changes and nothing
else: what a listing does hold is true whatever it lacks.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.core.dispatch import Row
from reconciler.core.observation import MISSING
from reconciler.core.plan import Change, Kind, Plan

OUTDATED = timedelta(minutes=10)
"""A listing that ended longer ago is no first of two: too much may have happened since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """More than `share` of a host's rows, and at least `least`, is a mass if they go missing within `window`."""

    share: float
    least: int
    window: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Containers that are held back: when the first listing that lacked them had ended, and whose it was.

    `engine_id` is None if the Engine did not say who it was; such a listing is no first of two.
    """

    since: datetime
    engine_id: str | None
    containers: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """Rows that went missing by one listing, and when it had ended."""

    at: datetime
    rows: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What is remembered of a host's last listings: what is held back and why, and what went missing by them."""

    held: tuple[Held, ...] = ()
    swept: tuple[Swept, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who an Engine says it is.

    `name` is empty if it has none that lasts, as Podman; None if it does not say, and `silence` tells why.
    """

    name: str | None
    silence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of a host besides the plan.

    Its rows as they were before the listing; when the listing began, and when it had ended, by the
    database's clock; who the Engine was so far (None: it has never said), and who it says it is. `partial`
    is None, or the containers that a listing names which does not name all: it says nothing of others.
    """

    rows: Sequence[Row]
    memory: Memory
    begun: datetime
    ended: datetime
    recorded: str | None
    identity: Identity
    partial: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a pass concludes: a plan that may be applied, what to remember, and who the Engine is.

    `confirm_after`: so long after the listing another one is due, for what this one was the first to lack.
    """

    plan: Plan
    memory: Memory = Memory()
    engine_id: str | None = None
    confirm_after: timedelta | None = None


def safeguard(plan: Plan, evidence: Evidence, limits: Limits) -> Verdict:
    """Withhold the part of a sweep that another listing has to agree with first.

    A sweep is let go if it is no mass, together with what went missing within the window, and its Engine
    is in no doubt. What was held back once goes missing only if a listing that began a window later lacks
    it still; what is listed in between is no longer suspect.
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
    """Return what an overtaken pass may still do, and the sweep that it may not.

    The older pass that applied meanwhile may have held back or let go what this one knows nothing of.
    """
    return _without(plan, frozenset(change.after.container_id for change in plan.sweep)), plan.sweep


def is_present(row: Row) -> bool:
    """Tell whether the row's container was there when the host was last looked at."""
    return bool(row.container_id) and row.state != MISSING


def _judge(evidence: Evidence, lacking: frozenset[str], window: timedelta) -> tuple[frozenset[str], tuple[Held, ...]]:
    """Return the containers that this listing confirms to be gone, and those that go on being held.

    What this listing cannot confirm because an earlier one was another Engine's, or is outdated, is in neither.
    """
    name = evidence.identity.name
    confirmed: frozenset[str] = frozenset()
    waiting: list[Held] = []
    for held in evidence.memory.held:
        still = held.containers & lacking
        # it was before this listing, whatever a clock says that has been set back
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
    """Say why this may be another Engine than the host's, or nothing."""
    recorded, identity = evidence.recorded, evidence.identity
    if recorded is None or identity.name == recorded:
        return ""
    return _silence(identity) or f"the Engine is {identity.name or 'nameless'}, and was {recorded or 'nameless'}"


def _silence(identity: Identity) -> str:
    return f"the Engine does not say who it is: it {identity.silence}" if identity.name is None else ""


def _mass(sweep: Sequence[Change], swept: Iterable[Swept], evidence: Evidence, limits: Limits) -> str:
    """Say what mass of rows would have gone missing within the window, or nothing if it is none."""
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
    """Return who the host's Engine is from now on: another one only once nothing is held back of it any more."""
    recorded, name = evidence.recorded, evidence.identity.name
    if name is None or (recorded is not None and held):
        return recorded
    return name


def _still_held(held: Iterable[Held], listed: frozenset[str]) -> tuple[Held, ...]:
    left = (replace(held, containers=held.containers - listed) for held in held)
    return tuple(held for held in left if held.containers)


def _containers(held: Iterable[Held]) -> frozenset[str]:
    return frozenset[str]().union(*(held.containers for held in held))


def _without(plan: Plan, containers: frozenset[str]) -> Plan:
    """Return a plan that lets none of these containers' rows go missing."""
    kept = (c for c in plan.changes if c.kind is not Kind.MISSING or c.after.container_id not in containers)
    return replace(plan, changes=tuple(kept))
