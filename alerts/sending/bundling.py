"""I/O: puts deliveries that wait into messages, one for each channel, host and severity.

It decides about every group in a few queries, however many deliveries wait.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, Max, Min, OuterRef, Q

from alerts.core.conditions import Phase
from alerts.core.grouping import Group, is_due
from alerts.models import Delivery, DeliveryState, Incident, Message, MessageState
from alerts.models.delivery import DeliveryQuerySet
from alerts.sending.muting import muted
from reconciler.api import count_after_mass

REMEMBERED = timedelta(days=8)
"""Longer than any group is told only once."""
GROUP = ("channel", "severity", "host")


class Key(NamedTuple):
    """What the deliveries of a message have in common."""

    channel: int
    severity: str
    host: str


def bundle(at: datetime) -> list[Message]:
    """Make a message for each group that is to be told now."""
    drop_what_nobody_was_told()
    made = []
    for key, group in _groups(at):
        if is_due(group, at) and (message := _make(key, at, is_repeat=group.waits_since is None)):
            made.append(message)
    return made


def drop_what_nobody_was_told() -> None:
    """Drop what was resolved before it was sent, and the end of what was not told to have begun."""
    free = Delivery.objects.filter(state=DeliveryState.WAITING, message=None)
    of_what_is_over(free).update(state=DeliveryState.DROPPED)
    may_have_been_told = Q(state=DeliveryState.SENT) | Q(state=DeliveryState.WAITING) | Q(message__is_unsure=True)
    ends = free.filter(~Exists(_beginning().filter(may_have_been_told)), phase=Phase.RESOLVED)
    ends.update(state=DeliveryState.DROPPED)


def of_what_is_over(deliveries: DeliveryQuerySet) -> DeliveryQuerySet:
    """Return those of these deliveries that tell the beginning of something that has ended meanwhile.

    It is asked without a join: in an UPDATE, Django would look for what it joins in a table of its own again, and right
    after a mass PostgreSQL, which knows nothing of it yet, compares all with all.
    """
    over = Incident.objects.filter(phase=Phase.RESOLVED).values("pk")
    return deliveries.filter(phase=Phase.FIRING, incident__in=over)


def attach(message: Message, at: datetime) -> None:
    """Put all that waits and may be told into a message of its group."""
    count_after_mass(Delivery, _ready(at).of_group(message).update(message=message))


def standing(at: datetime) -> DeliveryQuerySet:
    """Return what was told to have begun, stands, and is neither acknowledged nor muted."""
    told = Delivery.objects.filter(phase=Phase.FIRING, state=DeliveryState.SENT, channel__is_enabled=True)
    stands = told.filter(incident__in=Incident.objects.standing(), incident__acknowledged_at=None)
    return stands.exclude(incident__in=muted(at))


def _beginning() -> DeliveryQuerySet:
    return Delivery.objects.filter(incident=OuterRef("incident"), channel=OuterRef("channel"), phase=Phase.FIRING)


def _ready(at: datetime) -> DeliveryQuerySet:
    """Return what waits and may be told: the end of something not before its beginning."""
    begins_first = _beginning().filter(state=DeliveryState.WAITING)
    free = Delivery.objects.waiting().filter(message=None).exclude(incident__in=muted(at))
    return free.exclude(Q(phase=Phase.RESOLVED), Exists(begins_first))


def _groups(at: datetime) -> Iterator[tuple[Key, Group]]:
    """Yield what is known of each group of which something waits or stands, and no message is to be sent."""
    ends = Count("pk", filter=Q(phase=Phase.RESOLVED))
    waiting = {
        Key(*key): (since, bool(ended))
        for *key, since, ended in _ready(at).order_by().values_list(*GROUP).annotate(since=Min("made_at"), ended=ends)
    }
    stands = {Key(*key) for key in standing(at).order_by().values_list(*GROUP).distinct()}
    told = Delivery.objects.filter(phase=Phase.FIRING, state=DeliveryState.SENT)
    is_open = told.filter(incident__in=Incident.objects.standing(), channel__is_enabled=True)
    open_groups = {Key(*key) for key in is_open.order_by().values_list(*GROUP).distinct()}
    under_way = {Key(*key) for key in Message.objects.pending().order_by().values_list(*GROUP)}
    told_at = _told_at(at)
    for key in sorted((waiting.keys() | stands) - under_way):
        since, ended = waiting.get(key, (None, False))
        yield (
            key,
            Group(
                severity=key.severity,
                waits_since=since,
                told_at=told_at.get(key),
                stands=key in stands,
                is_over=not ended and key not in open_groups,
            ),
        )


def _told_at(at: datetime) -> dict[Key, datetime]:
    sent = Message.objects.filter(state=MessageState.SENT, is_test=False, sent_at__gte=at - REMEMBERED)
    return {Key(*key): last for *key, last in sent.order_by().values_list(*GROUP).annotate(last=Max("sent_at"))}


def _make(key: Key, at: datetime, *, is_repeat: bool) -> Message | None:
    """Make a message; None if somebody else was faster."""
    try:
        with transaction.atomic():
            message = Message.objects.create(
                channel_id=key.channel,
                severity=key.severity,
                host=key.host,
                made_at=at,
                next_attempt_at=at,
                is_repeat=is_repeat,
            )
            attach(message, at)
    except IntegrityError:
        return None
    return message
