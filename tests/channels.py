"""Builders of channels, and of incidents as the judge records them."""

from datetime import datetime, timedelta
from typing import Any

from alerts.core.conditions import Condition, Phase, Severity
from alerts.models import Change, Channel, ChannelKind, Delivery, Incident, Message
from alerts.record import record
from alerts.sending.bundling import bundle
from alerts.sending.turns import take_turn


def channel(name: str = "ops", kind: ChannelKind = ChannelKind.EMAIL, target: str = "") -> Channel:
    """Make a channel; without a target it is an e-mail address of its name."""
    made = Channel(name=name, kind=kind)
    made.set_target(target or f"{name}@example.org")
    made.save()
    return made


def fire(subject: str = "shop:web", *, at: datetime, **more: Any) -> Incident:
    """Record that an incident fires, as the judge does."""
    (incident,) = fire_all([subject], at=at, **more)
    return incident


def fire_all(subjects: list[str], *, at: datetime, **more: Any) -> list[Incident]:
    """Record that incidents fire, all in one transaction."""
    given: dict[str, Any] = {
        "condition": Condition.MISSING,
        "severity": Severity.PAGE,
        "host": "berlin",
        "workload_id": "shop",
        "since": at - timedelta(seconds=60),
        "opened_at": at - timedelta(seconds=60),
        "fires_at": at,
        "fired_at": at,
        "phase": Phase.FIRING,
        "ordinal": 1,
    }
    made = [Incident(subject=subject, **(given | more)) for subject in subjects]
    record([Change(incident, None, at) for incident in made])
    return made


def resolve(*incidents: Incident, at: datetime) -> None:
    """Record that incidents are over, as the judge does."""
    for incident in incidents:
        incident.phase, incident.resolved_at = Phase.RESOLVED, at
        incident.ordinal += 1
    record([Change(incident, Phase.CLEARING, at) for incident in incidents])


def look(at: datetime) -> None:
    """Do at a moment what workers do then: put into messages what is to be told, and send what is due."""
    bundle(at)
    for pk in Channel.objects.values_list("pk", flat=True):
        take_turn(pk, lambda: at)


def states(**which: Any) -> list[str]:
    """Return the states of deliveries, in their order."""
    return list(Delivery.objects.filter(**which).values_list("state", flat=True))


def message() -> Message:
    """Return the only message."""
    return Message.objects.get()
