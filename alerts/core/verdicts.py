"""Whether a condition holds for a row or a host.

Pure: imports no framework, reads no clock, does no I/O.
"""

from collections.abc import Callable
from datetime import datetime
from enum import Enum, auto

from alerts.core.conditions import Condition
from alerts.core.facts import HostFact, RowFact
from alerts.core.labels import harmless_exits
from alerts.core.rules import DRIFT_LEAST

RUNNING, RESTARTING, PAUSED, STOPPED = "running", "restarting", "paused", "stopped"
CREATED, MISSING, FAILED, MOVED = "created", "missing", "failed", "moved"
PRESENT = frozenset({RUNNING, RESTARTING, PAUSED, STOPPED})


class Verdict(Enum):
    """Whether a condition holds, is over, or is neither: then an incident neither opens nor comes to an end."""

    HOLDS = auto()
    NEITHER = auto()
    OVER = auto()


def of_row(condition: Condition, row: RowFact) -> Verdict:
    """Return whether a condition holds for a row."""
    return _OF_ROWS[condition](row)


def of_host(condition: Condition, host: HostFact, resumed_at: datetime) -> Verdict:
    """Return whether a condition holds for a host. What was known of it before `resumed_at` counts for nothing."""
    if condition is Condition.HOST:
        return _host(host, resumed_at)
    return _holds(host.is_held if condition is Condition.HELD else host.drift >= DRIFT_LEAST)


def ended_badly(row: RowFact) -> bool:
    """Tell whether a container has ended by itself and not as it should."""
    return row.state == STOPPED and row.exit_code is not None and row.exit_code not in harmless_exits(row.told)


def _holds(truth: bool) -> Verdict:
    return Verdict.HOLDS if truth else Verdict.OVER


def _missing(row: RowFact) -> Verdict:
    if row.state == MISSING:
        return Verdict.HOLDS
    return Verdict.OVER if row.state in PRESENT else Verdict.NEITHER


def _failed(row: RowFact) -> Verdict:
    if row.state == FAILED:
        return Verdict.HOLDS
    return Verdict.OVER if row.state == RUNNING else Verdict.NEITHER


def _looping(row: RowFact) -> Verdict:
    if row.is_looping:
        return Verdict.HOLDS
    return Verdict.NEITHER if row.restarts else Verdict.OVER


def _unhealthy(row: RowFact) -> Verdict:
    """What starts may become unhealthy again; what has stopped is not unhealthy, but is told of for its end."""
    if row.state == RUNNING and row.health in ("unhealthy", "starting"):
        return Verdict.HOLDS if row.health == "unhealthy" else Verdict.NEITHER
    return Verdict.OVER if row.state in (RUNNING, PAUSED, STOPPED) else Verdict.NEITHER


def _ended(row: RowFact) -> Verdict:
    if ended_badly(row):
        return Verdict.HOLDS
    has_done_its_work = row.state == STOPPED and row.exit_code is not None
    return Verdict.OVER if row.state == RUNNING or has_done_its_work else Verdict.NEITHER


def _oom(_: RowFact) -> Verdict:
    """An end is an event: it does not last, and is told of when it is noticed."""
    return Verdict.OVER


def _created(row: RowFact) -> Verdict:
    return _holds(row.state == CREATED)


def _placeholder(row: RowFact) -> Verdict:
    return _holds(not row.container_id and row.state not in (FAILED, MOVED))


def _orphan(row: RowFact) -> Verdict:
    return _holds(row.is_orphan and row.state != MISSING)


def _host(host: HostFact, resumed_at: datetime) -> Verdict:
    if host.error_at:
        return Verdict.HOLDS if host.error_at >= resumed_at else Verdict.NEITHER
    return Verdict.OVER if host.success_at and host.success_at >= resumed_at else Verdict.NEITHER


_OF_ROWS: dict[Condition, Callable[[RowFact], Verdict]] = {
    Condition.MISSING: _missing,
    Condition.FAILED: _failed,
    Condition.LOOPING: _looping,
    Condition.UNHEALTHY: _unhealthy,
    Condition.ENDED: _ended,
    Condition.OOM: _oom,
    Condition.CREATED: _created,
    Condition.PLACEHOLDER: _placeholder,
    Condition.ORPHAN: _orphan,
}
ROW_CONDITIONS = tuple(_OF_ROWS)
