"""What the answers to inspects change in a row, and what happens without an answer.

Pure: imports no framework, reads no clock, does no I/O. An answer adds to a row. Without one, the row only
loses what the answer would have said about the container's last end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace as replaced
from datetime import datetime, timedelta

from msgspec.structs import replace

from reconciler.core.causes import differences, news, short
from reconciler.core.inspects import ROUNDING, YOUNG_FOR, listed_end, listed_start
from reconciler.core.last_inspect import DetailsState, LastInspect
from reconciler.core.observation import PAUSED, RESTARTING, RUNNING, Details
from reconciler.core.plan import Change, Inspect, Kind, Plan

Answers = Mapping[str, Details | DetailsState]
"""By container id, what an inspect told, or the state of the details if it failed. Others were not inspected."""
LONGEST_PASS = timedelta(minutes=1)
"""No inspect comes later than this after its listing."""


def merge_details(plan: Plan, wanted: Sequence[Change], answers: Answers, answered_at: datetime | None) -> Plan:
    """Return the plan with what the answers tell, and with what is owed where there is none.

    Each row has at most one change. `answered_at` is when the listing was made, by the daemon's clock.
    """
    changes = {change.after.id: change for change in plan.changes}
    for change in wanted:
        answer = answers.get(change.after.container_id, DetailsState.OWED)
        if isinstance(answer, Details):
            told = _told(change, answer, answered_at)
        else:
            told = _untold(change, answer, answered_at)
        changes |= {told.after.id: told} if told else {}
    return replaced(plan, changes=tuple(sorted(changes.values(), key=lambda change: change.after.id)))


def _told(change: Change, details: Details, answered_at: datetime | None) -> Change | None:
    """Return the change with what an inspect tells, or None if it tells nothing new."""
    told = LastInspect.told(change.after.container_id, details, _how_told(details, answered_at))
    after = replace(change.after, exit_code=_exit_code(change, details), health=_health(change, details))
    restarts = _restarts(change, details)
    if told == change.known and after == change.after:
        return None
    if restarts and not change.is_rebinding:
        cause = ", ".join(filter(None, (change.cause, _restart_news(change, details))))
        change = replaced(change, kind=Kind.RESTART, cause=cause)
    if after.health != change.after.health:
        change = _with_health_news(change, after.health)
    change = replaced(change, after=after, details=told, restarts=restarts)
    return replaced(change, cause=_cause(change, f"details of container {short(after.container_id)} are known"))


def _how_told(details: Details, answered_at: datetime | None) -> DetailsState:
    """Tell whether the container has to be asked once more, because it has just started or ended."""
    moments = [moment for moment in (details.started_at, details.finished_at) if moment]
    if answered_at is None or not moments:
        return DetailsState.TOLD
    age = answered_at - max(moments)
    # a moment that lies far ahead comes from a clock that was set back since: it would be young for ever
    return DetailsState.YOUNG if -LONGEST_PASS < age < YOUNG_FOR else DetailsState.TOLD


def _health(change: Change, details: Details) -> str:
    """Return the listing's health, or the inspect's if the daemon's listings never tell it."""
    return details.health if change.observation and change.observation.hides_health else change.after.health


def _with_health_news(change: Change, health: str) -> Change:
    """Return the change as one of health, too: only an inspect has told it."""
    if change.kind is Kind.CREATE:
        return change
    told = differences(change.after, replace(change.after, health=health))
    kind = Kind.UPDATE if change.kind is Kind.DETAIL else change.kind
    return replaced(change, kind=kind, cause=", ".join(filter(None, (change.cause, told))))


def _exit_code(change: Change, details: Details) -> int | None:
    """Return the listing's exit code, or else the inspect's, as after a failed start."""
    if change.observation and change.observation.exit_code is not None:
        return change.observation.exit_code
    return None if change.after.state == RUNNING else details.exit_code


def _restarts(change: Change, details: Details) -> int:
    """Return how many restarts there were since the count was last known, without the start that the change shows.

    A start by hand sets the count to zero. It is a restart too, unless the row becomes running because of it.
    """
    known = change.known
    if known is None or known.restart_count is None or known.details_of != change.after.container_id:
        return 0
    grown = details.restart_count - known.restart_count
    if grown > 0:
        return grown
    by_hand = int(_has_new_start(known, details) and not _shows_start(change))
    # the count grows when a container ends, and its start changes later: such a restart has been counted already
    return details.restart_count + by_hand if grown < 0 or details.restart_count == 0 else 0


def _has_new_start(known: LastInspect, details: Details) -> bool:
    """Tell whether the container was started later than its row says."""
    if known.started_at is None or details.started_at is None:
        return False
    # a start that no inspect has told comes from a listing, which rounds it
    least = timedelta() if known.details_state in (DetailsState.TOLD, DetailsState.YOUNG) else ROUNDING
    return details.started_at - known.started_at > least


def _shows_start(change: Change) -> bool:
    """Tell whether the change of state is a start."""
    before = change.before.state if change.before else ""
    return change.after.state == RUNNING and before not in (RUNNING, PAUSED)


def _restart_news(change: Change, details: Details) -> str:
    """Return in words that the container was restarted, and how we know."""
    count = change.known.restart_count if change.known else None
    how = "not by its restart policy"
    if count != details.restart_count:
        how = f"restart count {count} → {details.restart_count}"
    return f"container {short(change.after.container_id)} was restarted, {how}"


def _untold(change: Change, state: DetailsState, answered_at: datetime | None) -> Change | None:
    """Return the change with what stays known after an inspect that told nothing; None if the row says so already."""
    container_id, is_changed = change.after.container_id, change.inspect is Inspect.CHANGED
    if state is DetailsState.OWED and _is_owed_anyway(change):
        return None
    known = change.known if change.known and change.known.details_of == container_id else LastInspect()
    if is_changed:
        started_at = None if change.after.state == RUNNING else known.started_at
        known = replace(known, oom_killed=None, started_at=started_at, finished_at=None)
    if is_changed or state is DetailsState.STUCK:
        known = replace(
            known,
            started_at=listed_start(change, answered_at) or known.started_at,
            finished_at=listed_end(change, answered_at) or known.finished_at,
        )
    if state is DetailsState.STUCK:
        known = replace(known, details_of=container_id)
    details = replace(known, details_state=state)
    if details == change.known:
        return None
    change = replaced(change, details=details)
    return replaced(change, cause=_cause(change, f"details of container {short(container_id)} are {state}"))


def _is_owed_anyway(change: Change) -> bool:
    """Tell whether a later pass inspects the container even if the row does not say that it is owed."""
    if change.inspect is Inspect.CHANGED:
        return change.before is None
    known = change.known
    return known is None or change.after.state == RESTARTING or known.details_state == DetailsState.YOUNG


def _cause(change: Change, nothing_else: str) -> str:
    """Return the change's cause; if it is no step of the row's history, with the details that are new."""
    what = [change.cause, news(change.known, change.details) if change.details and not change.is_step else ""]
    return ", ".join(filter(None, what)) or nothing_else
