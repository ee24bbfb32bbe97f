"""What the feed is told of incidents, so that its readers hear of them in the order of commits."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from alerts.core.conditions import CONDITION_WORDS, Condition, SubjectKind
from alerts.models import Change, Incident
from reconciler.models import ChangeKind, Transition

DROPPED = "dropped"
"""The phase that the feed tells of an incident that came to nothing before people were told, and is deleted."""


def of_changes(changes: Iterable[Change]) -> Iterator[Transition]:
    """Yield what is told of changes of phase."""
    for incident, before, at in changes:
        what = CONDITION_WORDS[Condition(incident.condition)]
        yield _entry(incident, before or "", incident.phase, at, f"{what} ({incident.severity})")


def of_dropped(changes: Iterable[Change]) -> Iterator[Transition]:
    """Yield what is told of incidents that came to nothing."""
    for incident, before, at in changes:
        yield _entry(incident, before or "", DROPPED, at, "it was over before its delay was")


def of_acknowledged(incidents: Iterable[Incident], by: str, at: datetime) -> Iterator[Transition]:
    """Yield what is told of incidents that somebody has acknowledged: their phase stays."""
    for incident in incidents:
        yield _entry(incident, incident.phase, incident.phase, at, f"acknowledged by {by}")


def _entry(incident: Incident, before: str, after: str, at: datetime, cause: str) -> Transition:
    is_of_row = incident.subject_kind is SubjectKind.ROW
    return Transition(
        kind=ChangeKind.INCIDENT,
        is_step=False,
        incident_id=incident.pk,
        row_id=incident.subject if is_of_row else "",
        host_id=incident.host,
        workload_id=incident.workload_id,
        from_state=before,
        to_state=after,
        at=at,
        cause=cause,
    )
