"""Open incidents out of the database, with how far people are told of each, in as many queries for one as for many."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db.models import Case, QuerySet, Value, When

from alerts.models import Delivery, DeliveryState, Incident, Phase, Silence, SubjectKind
from alerts.models.incident import IncidentQuerySet
from web.pages.incident import NOT_TOLD, SEVERITIES, Subject, Tellings, Told

MOST_READ = 3_000
MOST_NAMED = 5
"""So many channels are named for each incident, and so many are told of in each state."""


class _Sent(NamedTuple):
    channel: str
    state: str
    at: datetime | None


def of_rows(row_ids: Collection[str]) -> IncidentQuerySet:
    """Return the open incidents of these rows."""
    return Incident.objects.open().about(SubjectKind.ROW).filter(subject__among=sorted(row_ids))


def of_hosts() -> IncidentQuerySet:
    """Return the open incidents of all hosts."""
    return Incident.objects.open().about(SubjectKind.HOST)


def of_the_index() -> IncidentQuerySet:
    """Return the open incidents of the index itself."""
    return Incident.objects.open().about(SubjectKind.INDEX)


def read_tellings(incidents: IncidentQuerySet, at: datetime) -> Tellings:
    """Return these incidents with how far people are told of each."""
    found: dict[Subject, list[Told]] = defaultdict(list)
    for told in read_told(incidents, at):
        found[told.incident.subject_kind, told.incident.subject].append(told)
    return found


def read_told(incidents: IncidentQuerySet, at: datetime) -> list[Told]:
    """Return these incidents, the oldest first, with how far people are told of each."""
    read = list(incidents.with_silence(at).order_by("id")[:MOST_READ])
    silences = Silence.objects.in_bulk([each.silence for each in read if each.silence])  # type: ignore[attr-defined]
    sent = _sent([each.pk for each in read])
    return [
        _told(each, silences.get(each.silence), sent.get(each.pk, ()))  # type: ignore[attr-defined]
        for each in read
    ]


def firing_rows(severity: str = "") -> "QuerySet[Incident, str]":
    """Return the ids of the rows that people are told of, whatever it is, or what matters so much."""
    firing = Incident.objects.firing().about(SubjectKind.ROW).order_by()
    return (firing.filter(severity=severity) if severity else firing).values_list("subject", flat=True)


def standing_rows() -> "QuerySet[Incident, str]":
    """Return the ids of the rows that people are told of, those too that seem to be well again."""
    return Incident.objects.standing().about(SubjectKind.ROW).order_by().values_list("subject", flat=True)


def rank_of_rows() -> Case:
    """Return an expression for how much that matters which people are told of a row; NOT_TOLD if there is nothing."""
    whens = [When(id__in=firing_rows(each), then=Value(n)) for n, each in enumerate(SEVERITIES)]
    return Case(*whens, default=Value(NOT_TOLD))


def _sent(incidents: Collection[int]) -> dict[int, list[_Sent]]:
    """Return to which channels these incidents were told, or are to be, the latest last."""
    begun = Delivery.objects.filter(incident__in=incidents, phase=Phase.FIRING).exclude(state=DeliveryState.DROPPED)
    found: dict[int, list[_Sent]] = defaultdict(list)
    columns = ("incident", "channel__name", "state", "message__sent_at")
    for pk, *told in begun.order_by("ordinal", "id").values_list(*columns):
        found[pk].append(_Sent(*told))
    return found


def _told(incident: Incident, silence: Silence | None, sent: Sequence[_Sent]) -> Told:
    latest = {each.channel: each for each in sent}.values()
    return Told(
        incident=incident,
        silence=silence,
        sent=_channels(latest, DeliveryState.SENT),
        sent_at=max((each.at for each in latest if each.at and each.state == DeliveryState.SENT), default=None),
        waiting=_channels(latest, DeliveryState.WAITING),
        given_up=_channels(latest, DeliveryState.DEAD),
    )


def _channels(sent: Collection[_Sent], state: DeliveryState) -> list[str]:
    names = sorted(each.channel for each in sent if each.state == state)
    more = len(names) - MOST_NAMED
    return [*names[:MOST_NAMED], f"{more} more"] if more > 0 else names
