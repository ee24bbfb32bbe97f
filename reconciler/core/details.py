"""Which containers are worth an inspect after a listing, and what the answers change.

Pure: imports no framework, reads no clock, does no I/O. An answer adds to a row; the lack of one
takes nothing from it but the details.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace as replaced
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from reconciler.core.causes import short
from reconciler.core.dispatch import Row, Sighting
from reconciler.core.observation import Details
from reconciler.core.plan import Change, Kind, Plan

RUNNING, RESTARTING = "running", "restarting"
_ENDED = frozenset({"stopped", RESTARTING})
_ROUNDING = timedelta(seconds=2)
"""A listing's ages and a daemon's `Date` are in whole seconds."""


class LastInspect(NamedTuple):
    """What a row says of its container since the last inspect; None: nothing."""

    restart_count: int | None
    started_at: datetime | None


class Question(NamedTuple):
    """A container that may be worth an inspect, and its row as the plan leaves it, with its change if it has one.

    `is_known` tells whether the row's details were this container's before. `up_seconds` is how long it
    has been running by its daemon's word, None if for long, or not at all.
    """

    container_id: str
    row: Row
    change: Change | None
    is_known: bool
    up_seconds: int | None = None


Answers = Mapping[str, Details | None]
"""By container id; None: the daemon was stuck on it, and is not to be asked again until it changes."""


def questions(plan: Plan, rows: Iterable[Row], sightings: Iterable[Sighting]) -> list[Question]:
    """Return the containers that may be worth an inspect: changed, owed from before, young, or restarting.

    One at most for each row: a container that lost the contest for its row is none of the row's.
    """
    changes = {change.after.id: change for change in plan.changes if change.kind is not Kind.MISSING}
    by_id = {row.id: row for row in rows}
    asked = [_question(change.after, change) for change in changes.values() if change.outdates_details]
    for sighting in sightings:
        up, container_id = sighting.observation.up_seconds, sighting.row.container_id
        change = changes.get(sighting.row.id)
        row = change.after if change else by_id.get(sighting.row.id)
        if row is None or row.container_id != container_id or (change and change.outdates_details):
            continue
        if not row.details_of or row.state == RESTARTING or (up is not None and row.state == RUNNING):
            asked.append(_question(row, change)._replace(up_seconds=up))
    return asked


def _question(row: Row, change: Change | None) -> Question:
    before = change.before if change else row
    is_known = before is not None and before.details_of == row.container_id
    return Question(row.container_id, row, change, is_known)


def worth_asking(
    asked: Iterable[Question], known: Mapping[str, LastInspect], answered_at: datetime | None, turn: int
) -> list[Question]:
    """Return what to inspect, the most telling first: ended, changed, perhaps restarted, owed.

    `known` is by row id, of the questions that say so. A container has been restarted if it is younger
    than the start that is known of it, both by its daemon's clock; while it is restarting it may have
    been at any time. What is owed takes turns, so that what fails again and again keeps nobody out.
    """
    ranked: tuple[list[Question], ...] = ([], [], [], [])
    for question in asked:
        if question.change and question.change.outdates_details:
            ranked[0 if question.row.state in _ENDED else 1].append(question)
        elif question.is_known:
            ranked[2].extend(
                [question] if _may_have_restarted(question, known.get(question.row.id), answered_at) else []
            )
        else:
            ranked[3].append(question)
    first = turn % len(ranked[3]) if ranked[3] else 0
    return [*ranked[0], *ranked[1], *ranked[2], *ranked[3][first:], *ranked[3][:first]]


def _may_have_restarted(question: Question, known: LastInspect | None, answered_at: datetime | None) -> bool:
    if known is None or known.restart_count is None:
        return False
    if question.row.state == RESTARTING:
        return True
    if question.up_seconds is None or answered_at is None or known.started_at is None:
        return False
    return answered_at - timedelta(seconds=question.up_seconds) > known.started_at + _ROUNDING


def merge_details(plan: Plan, asked: Sequence[Question], answers: Answers, known: Mapping[str, LastInspect]) -> Plan:
    """Return the plan with what the answers tell: at most one change for each row."""
    changes = {change.after.id: change for change in plan.changes}
    for question in asked:
        if question.container_id in answers:
            told = _told(question, answers[question.container_id], known.get(question.row.id))
            changes |= {question.row.id: told} if told else {}
    return replaced(plan, changes=tuple(sorted(changes.values(), key=lambda change: change.after.id)))


def _told(question: Question, details: Details | None, known: LastInspect | None) -> Change | None:
    """Return the row's change with what an inspect tells, or a change of its own, if it tells anything."""
    row, change = question.row, question.change
    after = _settled(row, details)
    if change and change.outdates_details:
        restarts = _growth(known, details) if question.is_known else 0
        return replaced(change, after=after, details=details, restarts=restarts)
    if question.is_known and (details is None or known == LastInspect(details.restart_count, details.started_at)):
        return None
    change = change or Change(Kind.DETAIL, row, after, False, "")
    if question.is_known and details and known and _has_restarted(known, details):
        counts = f"restart count {known.restart_count} → {details.restart_count}"
        cause = ", ".join(filter(None, (change.cause, f"container {short(row.container_id)} was restarted, {counts}")))
        restarts = max(1, _growth(known, details))
        return replaced(change, kind=Kind.RESTART, after=after, cause=cause, details=details, restarts=restarts)
    cause = f"details of container {short(row.container_id)} {'are known' if details else 'cannot be had'}"
    return replaced(change, after=after, cause=change.cause or cause, details=details)


def _has_restarted(known: LastInspect, details: Details) -> bool:
    """Tell a restart from the end of one that was counted before: its count grows first, its start moves later."""
    return known.restart_count != details.restart_count or details.restart_count == 0


def _settled(row: Row, details: Details | None) -> Row:
    exit_code = row.exit_code
    if exit_code is None and details and row.state != RUNNING:
        exit_code = details.exit_code
    return replace(row, details_of=row.container_id, exit_code=exit_code)


def _growth(known: LastInspect | None, details: Details | None) -> int:
    """Return by how much the restart count has grown; a manual start sets it back to nothing."""
    if details is None or known is None or known.restart_count is None:
        return 0
    grown = details.restart_count - known.restart_count
    return grown if grown >= 0 else details.restart_count
