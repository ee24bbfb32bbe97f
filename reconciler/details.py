"""Which containers are worth an inspect after a listing, and what the answers change.

Pure: imports no framework, reads no clock, does no I/O. An answer adds to a row; the lack of one
takes nothing from it but the details.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace as replaced
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from reconciler.dispatch import Row, Sighting
from reconciler.observation import Details
from reconciler.plan import Change, Kind, Plan

RUNNING = "running"
_ENDED = frozenset({"stopped", "restarting"})
_ROUNDING = timedelta(seconds=2)
"""A listing's ages and a daemon's `Date` are in whole seconds."""


class Known(NamedTuple):
    """What a row says of its container since the last inspect; None: nothing."""

    restart_count: int | None
    started_at: datetime | None


class Question(NamedTuple):
    """A container that may be worth an inspect, and its row: as a change leaves it, or unchanged.

    `up_seconds` is how long it has been running by its daemon's word, None if for long, or not at all.
    """

    container_id: str
    row: Row
    change: Change | None = None
    up_seconds: int | None = None

    @property
    def is_same_container(self) -> bool:
        """Tell whether the row was bound to this container before."""
        before = self.change.before if self.change else self.row
        return before is not None and before.container_id == self.container_id


Answers = Mapping[str, Details | None]
"""By container id; None: the daemon was stuck on it, and is not to be asked again until it changes."""


def questions(plan: Plan, rows: Iterable[Row], sightings: Iterable[Sighting]) -> list[Question]:
    """Return the containers that may be worth an inspect: changed, owed from before, or young."""
    asked = [Question(c.after.container_id, c.after, c) for c in plan.changes if c.outdates_details]
    changed = {question.container_id for question in asked}
    by_id = {row.id: row for row in rows}
    for sighting in sightings:
        up, row = sighting.observation.up_seconds, by_id.get(sighting.row.id)
        if row is None or (up is None and not row.details_due):
            continue
        if row.container_id == sighting.row.container_id and row.container_id not in changed:
            asked.append(Question(row.container_id, row, None, up if row.state == RUNNING else None))
    return asked


def worth_asking(asked: Iterable[Question], known: Mapping[str, Known], answered_at: datetime | None) -> list[Question]:
    """Return what to inspect, the most telling first: ended, changed, restarted between two looks, owed.

    `known` is by row id, of rows whose container is the same still. A container has been restarted if
    it is younger than the start that is known of it; both are by its daemon's clock.
    """
    ranked: list[tuple[int, int, Question]] = []
    for order, question in enumerate(asked):
        if question.change:
            ranked.append((0 if question.row.state in _ENDED else 1, order, question))
        elif _is_younger(question, known.get(question.row.id), answered_at):
            ranked.append((2, order, question))
        elif question.row.details_due:
            ranked.append((3, order, question))
    return [question for _, _, question in sorted(ranked, key=lambda each: each[:2])]


def _is_younger(question: Question, known: Known | None, answered_at: datetime | None) -> bool:
    if question.up_seconds is None or answered_at is None or known is None or known.started_at is None:
        return False
    return answered_at - timedelta(seconds=question.up_seconds) > known.started_at + _ROUNDING


def learn(plan: Plan, asked: Sequence[Question], answers: Answers, known: Mapping[str, Known]) -> Plan:
    """Return the plan with what the answers tell; `known` by row id, of rows whose container is the same still."""
    learnt = {
        question.row.id: _told(question.change, answers[question.container_id], known.get(question.row.id))
        for question in asked
        if question.change and question.container_id in answers
    }
    changes = [learnt.get(change.after.id, change) for change in plan.changes]
    for question in asked:
        if question.change is None and question.container_id in answers:
            more = _quiet(question.row, answers[question.container_id], known.get(question.row.id))
            changes += [more] if more else []
    return replaced(plan, changes=tuple(sorted(changes, key=lambda change: change.after.id)))


def _told(change: Change, details: Details | None, known: Known | None) -> Change:
    return replaced(change, after=_settled(change.after, details), details=details, restarts=_growth(known, details))


def _quiet(row: Row, details: Details | None, known: Known | None) -> Change | None:
    """Return what an inspect tells of a row that the listing finds unchanged."""
    after = _settled(row, details)
    has_restarted = bool(details and known and known.restart_count is not None) and known != _known(details)
    if has_restarted and details and known:
        counts = f"restart count {known.restart_count} → {details.restart_count}"
        cause = f"container {row.container_id[:12]} was restarted, {counts}"
        return Change(Kind.RESTART, row, after, False, cause, None, details, max(1, _growth(known, details)))
    if not row.details_due:
        return None
    cause = f"details of container {row.container_id[:12]} {'are known' if details else 'cannot be had'}"
    return Change(Kind.DETAIL, row, after, False, cause, None, details)


def _settled(row: Row, details: Details | None) -> Row:
    exit_code = row.exit_code
    if exit_code is None and details and row.state != RUNNING:
        exit_code = details.exit_code
    return replace(row, details_due=False, exit_code=exit_code)


def _known(details: Details | None) -> Known | None:
    return Known(details.restart_count, details.started_at) if details else None


def _growth(known: Known | None, details: Details | None) -> int:
    """Return by how much the restart count has grown; a manual start sets it back to nothing."""
    if details is None or known is None or known.restart_count is None:
        return 0
    grown = details.restart_count - known.restart_count
    return grown if grown >= 0 else details.restart_count
