"""Incidents: what is or was wrong; and who looks after it."""

from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Any

from django.db.models import Q
from msgspec import UNSET, Meta, UnsetType

from alerts import api
from alerts.models import Condition, Incident, SubjectKind, subject_kind
from reconciler.models import Feed
from web import audit
from web.api import alert_types as types
from web.api.endpoint import Call, Endpoint
from web.api.pages import Number, PageQuery, cut, number_of, part_of
from web.api.reading import MOST_VALUES, Texts
from web.api.types import moment
from web.models import Scope
from web.problems import Problem, Refused

OF_ROWS = tuple(each.value for each in Condition if subject_kind(each) is SubjectKind.ROW)
_SEVERAL = Meta(max_length=MOST_VALUES, description="Any of these: may be given several times.")


class IncidentQuery(PageQuery, forbid_unknown_fields=True, kw_only=True):
    """Which incidents are wanted."""

    after: Number | UnsetType = UNSET
    host: Texts = ()
    workload: Texts = ()
    row: Texts = ()
    condition: Annotated[tuple[types.Condition, ...], _SEVERAL] = ()
    severity: Annotated[tuple[types.Severity, ...], _SEVERAL] = ()
    phase: Annotated[tuple[types.Phase, ...], _SEVERAL] = ()


def list_incidents(call: Call[IncidentQuery]) -> types.IncidentPage:
    """Return a page of incidents. The cursor is read before them, so that no change after it is missed."""
    cursor = Feed.of_this_database().newest()
    rows = list(part_of(Incident.objects.filter(_wanted(call.query)), call.query))
    found, after = cut(rows, call.query.limit, lambda incident: str(incident.pk))
    items = [_served(incident) for incident in found]
    return types.IncidentPage(items=items, next=after, as_of=moment(call.at), cursor=cursor)


def get_incident(call: Call[Any]) -> types.IncidentAnswer:
    """Return one incident. Raises Refused."""
    return _answer(call, Feed.of_this_database().newest())


def acknowledge(call: Call[Any]) -> types.IncidentAnswer:
    """Note who looks after an incident; whoever has done so first stays. Raises Refused."""
    cursor, incident = Feed.of_this_database().newest(), _incident(call.key)
    if api.acknowledge([incident.pk], by=call.by):
        audit.note_of(call.who, incident, f"Acknowledged, from {call.address}.")
    elif incident.acknowledged_at is None and _incident(call.key).acknowledged_at is None:
        raise Refused(Problem.CONFLICT, f"incident {incident.pk} is over: there is nothing to look after any more")
    return _answer(call, cursor)


def incidents_now(numbers: Collection[int]) -> dict[int, types.Incident]:
    """Return these incidents as they are now."""
    return {incident.pk: _served(incident) for incident in Incident.objects.filter(pk__in=numbers)}


def _wanted(query: IncidentQuery) -> Q:
    several = {
        "host": query.host,
        "workload_id": query.workload,
        "condition": query.condition,
        "severity": query.severity,
        "phase": query.phase,
    }
    wanted = Q(**{f"{column}__in": values for column, values in several.items() if values})
    return wanted & Q(subject__in=query.row, condition__in=OF_ROWS) if query.row else wanted


def _incident(key: str) -> Incident:
    found = Incident.objects.filter(pk=number_of(key)).first()
    if found is None:
        raise Refused(Problem.NOT_FOUND, f"there is no incident {key!r}; one that came to nothing is forgotten")
    return found


def _answer(call: Call[Any], cursor: str) -> types.IncidentAnswer:
    return types.IncidentAnswer(item=_served(_incident(call.key)), as_of=moment(call.at), cursor=cursor)


def _served(incident: Incident) -> types.Incident:
    kind = incident.subject_kind
    return types.Incident(
        id=incident.pk,
        condition=incident.condition,  # type: ignore[arg-type]
        severity=incident.severity,  # type: ignore[arg-type]
        phase=incident.phase,  # type: ignore[arg-type]
        row=incident.subject if kind is SubjectKind.ROW else "",
        host=incident.host,
        workload=incident.workload_id,
        since=moment(incident.since),
        opened_at=moment(incident.opened_at),
        fired_at=_moment(incident.fired_at),
        resolved_at=_moment(incident.resolved_at),
        muted=incident.is_muted,
        flapping=incident.is_flapping,
        state_before=incident.state_before,
        state=incident.state,
        container_id=incident.container_id,
        image_ref=incident.image_ref,
        # what an Engine said may name machines and files
        cause="" if kind is SubjectKind.HOST else incident.cause,
        exit_code=incident.exit_code,
        oom_killed=incident.oom_killed,
        acknowledged_at=_moment(incident.acknowledged_at),
        acknowledged_by=incident.acknowledged_by,
    )


def _moment(at: datetime | None) -> str | None:
    return moment(at) if at else None


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="incidents",
        handler=list_incidents,
        summary="List what is or was wrong",
        query=IncidentQuery,
        answer=types.IncidentPage,
    ),
    Endpoint(
        method="POST",
        path="incidents/{id}/acknowledge",
        handler=acknowledge,
        summary="Say that somebody looks after an incident",
        answer=types.IncidentAnswer,
        scope=Scope.ADMIN,
        problems=(Problem.CONFLICT,),
    ),
    Endpoint(
        method="GET",
        path="incidents/{id}",
        handler=get_incident,
        summary="One incident",
        answer=types.IncidentAnswer,
    ),
)
