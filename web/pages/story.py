"""The page of an incident: what it is about, how far it is, who was told of it and when."""

import shlex
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from alerts.models import Delivery, Incident, Phase, SubjectKind
from reconciler.levels import Level
from reconciler.models import Container, Host
from web.pages.incident import Told
from web.pages.incidents import read_told
from web.pages.live import Content
from web.pages.row import Row
from web.pages.rows import annotated, read
from web.pages.serving import Reader, parts_of, serve
from web.pages.things import LOGS

MOST_MESSAGES, MOST_OTHERS = 50, 10
MOST_ID = 2**63 - 1


@require_safe
def incident_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one incident, also when it is over."""
    host = Incident.objects.filter(pk=min(pk, MOST_ID)).values_list("host", flat=True).first()
    return serve(
        request,
        "web/incident.html",
        lambda at, reader: _content(pk, at, reader),
        name=host,
        enabled=bool(host) and Host.objects.filter(name=host, enabled=True).exists(),
    )


def _content(pk: int, at: datetime, reader: Reader) -> Content:
    found = read_told(Incident.objects.filter(pk=min(pk, MOST_ID)), at)
    if not found:
        raise Http404(f"there is no incident {pk}")
    told, incident = found[0], found[0].incident
    row = _row(incident, at)
    context: dict[str, Any] = {
        "at": at,
        "reader": reader,
        "told": told,
        "incident": incident,
        "kind": incident.subject_kind.value,
        "row": row,
        "logs": LOGS.format(row.container_id[:12]) if row and row.container_id else "",
        "silence": _silence(incident),
        "level": _level(told),
        "is_over": incident.phase == Phase.RESOLVED,
        "sees_cause": reader.sees_errors or incident.subject_kind is not SubjectKind.HOST,
        "deliveries": list(_deliveries(incident)[:MOST_MESSAGES]),
        "others": list(_others(incident)[:MOST_OTHERS]),
    }
    return Content(
        title=f"{told.sentence} · Tinyforge index",
        level=context["level"],
        says=f"{told.sentence}. {told.phase_words}.",
        parts=parts_of(("incident", "messages"), context),
    )


def _row(incident: Incident, at: datetime) -> Row | None:
    """Return the row that it is about, as it is now; None if it is about something else, or the row is gone."""
    if incident.subject_kind is not SubjectKind.ROW:
        return None
    return next(iter(read(annotated(Container.objects.filter(id=incident.subject), at))), None)


def _silence(incident: Incident) -> str:
    """Return the command that silences it; ids may hold anything, and are quoted for a shell."""
    named = {"host": incident.host, "workload": incident.workload_id, "condition": incident.condition}
    return shlex.join(
        ["manage.py", "silence", "add", "60", *(f"--{what}={name}" for what, name in named.items() if name)]
    )


def _level(told: Told) -> Level:
    if told.is_firing:
        return Level.DOWN
    return Level.WARN if told.is_pending or told.is_clearing else Level.WELL


def _deliveries(incident: Incident) -> "QuerySet[Delivery]":
    return incident.deliveries.select_related("channel", "message").order_by("-id")


def _others(incident: Incident) -> "QuerySet[Incident]":
    """Return what else there was of the same, the latest first."""
    same = Incident.objects.filter(condition=incident.condition, subject=incident.subject)
    return same.exclude(pk=incident.pk).order_by("-id")
