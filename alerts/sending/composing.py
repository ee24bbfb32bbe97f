"""I/O: what a message says, read from the incidents it is about at the moment when it is sent."""

from collections.abc import Iterator
from datetime import datetime
from urllib.parse import quote

from django.conf import settings

from alerts.core.conditions import CONDITION_WORDS, Condition, Phase, SubjectKind
from alerts.core.letter import MOST_TOLD, Entries, Entry, Letter
from alerts.models import Incident, Message
from alerts.models.incident import IncidentQuerySet
from alerts.sending.bundling import standing
from reconciler.words import exit_words

SHORT = {
    Condition.MISSING: "missing",
    Condition.FAILED: "failed",
    Condition.LOOPING: "restarts in a loop",
    Condition.UNHEALTHY: "unhealthy",
    Condition.ENDED: "ended",
    Condition.OOM: "out of memory",
    Condition.CREATED: "not started",
    Condition.PLACEHOLDER: "never made",
    Condition.ORPHAN: "orphaned",
    Condition.HOST: "cannot be seen",
    Condition.HELD: "held",
    Condition.DRIFT: "loses events",
    Condition.BLIND: "cannot see its hosts",
    Condition.NO_WORKER: "has no worker",
    Condition.NO_WATCHER: "has no watcher",
    Condition.NO_BEAT: "has no beat",
    Condition.DELIVERIES: "cannot deliver",
}
"""Each condition in a subject line, behind the name of what it is about, or a number."""


def compose(message: Message, at: datetime) -> Letter:
    """Return what a message says now."""
    if message.is_test:
        return Letter(id=str(message.pk), severity="", at=at, is_test=True, link=f"{settings.SITE_URL}/")
    begun = _told_by(message, Phase.FIRING)
    return Letter(
        id=str(message.pk),
        severity=message.severity,
        host=message.host,
        at=at,
        begun=_entries(begun),
        over=_entries(_told_by(message, Phase.RESOLVED)),
        stands=_entries(_still_wrong(message, at).exclude(pk__in=begun.values("pk"))),
        mute=_mute(message),
        link=f"{settings.SITE_URL}/",
    )


def _told_by(message: Message, phase: Phase) -> IncidentQuerySet:
    told = message.deliveries.filter(phase=phase)
    return Incident.objects.filter(pk__in=told.values("incident"))


def _still_wrong(message: Message, at: datetime) -> IncidentQuerySet:
    """Return what this channel was told of on that host and may be told of again; of a repeat, only its own group."""
    told = standing(at)
    ours = told.of_group(message) if message.is_repeat else told.filter(channel=message.channel_id, host=message.host)
    return Incident.objects.filter(pk__in=ours.values("incident"))


def _entries(incidents: IncidentQuerySet) -> Entries:
    return Entries([_entry(each) for each in incidents.order_by("since", "pk")[:MOST_TOLD]], incidents.count())


def _entry(incident: Incident) -> Entry:
    condition = Condition(incident.condition)
    return Entry(
        incident=incident.pk,
        what=_what(incident),
        short=SHORT[condition],
        sentence=CONDITION_WORDS[condition],
        since=incident.since,
        condition=condition,
        where=_where(incident),
        why=list(_why(incident)),
        link=_link(incident),
        over_at=incident.resolved_at,
    )


def _what(incident: Incident) -> str:
    if incident.subject_kind is SubjectKind.INDEX:
        return "the index"
    return f"host {incident.subject}" if incident.subject_kind is SubjectKind.HOST else incident.subject


def _where(incident: Incident) -> str:
    if incident.subject_kind is not SubjectKind.ROW:
        return ""
    return f"{incident.host}, workload {incident.workload_id}" if incident.workload_id else incident.host


def _why(incident: Incident) -> Iterator[str]:
    """Yield what is known of the cause: at most five lines."""
    if incident.cause:
        yield " ".join(incident.cause.split())
    if incident.exit_code is not None:
        yield exit_words(incident.exit_code)
    if incident.oom_killed:
        yield "its memory had run out"
    if incident.state_before:
        yield f"before, it was {incident.state_before}"
    if incident.image_ref:
        yield f"image {incident.image_ref}"


def _link(incident: Incident) -> str:
    return f"{settings.SITE_URL}/incidents/{incident.pk}"


def _mute(message: Message) -> str:
    """Return how to hear no more of it."""
    named = f"?host={quote(message.host)}" if message.host else ""
    silence = f"make a silence at {settings.SITE_URL}/admin/alerts/silence/add/{named}"
    return f"{silence} or give the container the label tinyforge.alerts=off" if message.host else silence
