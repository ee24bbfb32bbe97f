"""I/O: what is to be sent about incidents, as rows that are made in the transaction that changes the incidents."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db.models import Q

from alerts.core.conditions import Phase
from alerts.core.retries import LONGEST_RETRY_AFTER
from alerts.core.routing import Rule, Subject, channels_of
from alerts.models import Change, Channel, Delivery, Incident, Message, Route
from reconciler.api import count_after_mass
from reconciler.models import Workload

CHUNK_ROWS = 500
NOBODY_SENDS_AFTER = timedelta(minutes=10)
TELLER_SILENT_AFTER = timedelta(seconds=60)
"""What is to be told is put into messages every ten seconds. For so long a worker may be held up without a word."""
TOLD_FROM = (None, Phase.PENDING, Phase.FIRING)
"""Whoever comes to fire from one of these is told of; from CLEARING it goes on as was told before."""


def enqueue(changes: Sequence[Change]) -> None:
    """Note what is to be sent about these changes of phase, within the caller's transaction (I18)."""
    begun = [change for change in changes if change.incident.phase == Phase.FIRING and change.before in TOLD_FROM]
    over = [change for change in changes if change.incident.phase == Phase.RESOLVED]
    made = [*_of_begun(begun), *_of_over(over)] if begun or over else []
    Delivery.objects.bulk_create(made, batch_size=CHUNK_ROWS, ignore_conflicts=True)
    count_after_mass(Delivery, len(made))


def trouble(at: datetime, told_at: datetime | None) -> str:
    """Return in words why messages cannot be delivered; empty if they can.

    `told_at` is when what is to be told was put into messages last. Tests count for nothing, and what has to wait
    because its receiver asks for it is not late.
    """
    if dead := Message.objects.dead().count():
        return f"{dead} messages were given up: mend the channel, and send them again, in the admin"
    if nobody_tells(at, told_at) and Delivery.objects.waiting().filter(message=None).exists():
        return "what is to be told is put into no messages: the log of the worker of the queue alerts says why"
    since = at - NOBODY_SENDS_AFTER
    due = Message.objects.pending().filter(next_attempt_at__lte=since, claimed_until=None)
    asked_to_wait = Q(channel__not_before__gt=since, channel__not_before__lte=at + LONGEST_RETRY_AFTER)
    if late := due.exclude(asked_to_wait).count():
        return f"{late} messages are due and nobody sends them: do workers of the queues alerts and apprise run?"
    return ""


def nobody_tells(at: datetime, told_at: datetime | None) -> bool:
    """Tell whether nobody puts into messages what is to be told, or whether each try fails."""
    return told_at is None or not timedelta() <= at - told_at <= TELLER_SILENT_AFTER


def _of_begun(changes: Sequence[Change]) -> Iterable[Delivery]:
    """Yield what is to be sent of incidents that fire: to whom the routes lead."""
    channels = list(Channel.objects.enabled().values_list("pk", flat=True)) if changes else []
    if not channels:
        return
    rules = [route.rule() for route in Route.objects.prefetch_related("channels")]
    kinds = _kinds([change.incident for change in changes], rules)
    for incident, _, at in changes:
        subject = Subject(
            severity=incident.severity,
            condition=incident.condition,
            host=incident.host,
            workload=incident.workload_id,
            kind=kinds.get(incident.workload_id, ""),
        )
        for channel in channels_of(subject, rules, channels):
            yield Delivery(
                incident=incident,
                phase=Phase.FIRING,
                channel_id=channel,
                ordinal=incident.ordinal,
                severity=incident.severity,
                host=incident.host,
                made_at=at,
            )


def _of_over(changes: Sequence[Change]) -> Iterable[Delivery]:
    """Yield what is to be sent of incidents that are over: to those who were to be told that they began."""
    by_incident = {change.incident.pk: change for change in changes}
    begun = Delivery.objects.filter(incident__in=list(by_incident), phase=Phase.FIRING, channel__is_enabled=True)
    told = begun.order_by("incident", "channel", "ordinal").values_list("incident", "channel", "severity", "host")
    last = {(incident, channel): group for incident, channel, *group in told}
    for (pk, channel), (severity, host) in last.items():
        incident, _, at = by_incident[pk]
        yield Delivery(
            incident=incident,
            phase=Phase.RESOLVED,
            channel_id=channel,
            ordinal=incident.ordinal,
            severity=severity,
            host=host,
            made_at=at,
        )


def _kinds(incidents: Sequence[Incident], rules: Sequence[Rule]) -> dict[str, str]:
    """Return the kinds of workloads, if any route asks for one."""
    if not any(rule.kind for rule in rules):
        return {}
    names = list({incident.workload_id for incident in incidents if incident.workload_id})
    return dict(Workload.objects.filter(id__among=names).values_list("id", "kind"))
