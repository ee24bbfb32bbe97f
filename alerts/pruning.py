"""I/O: deletes incidents, silences and messages that are done, when they are older than history is kept."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet

from alerts.core.conditions import Phase
from alerts.models import Incident, Message, MessageState, Silence

CHUNK_ROWS = 500


def prune_told(at: datetime) -> int:
    """Delete what is older than TRANSITION_DAYS, in chunks, and return how much; deliveries go with their incidents."""
    if not settings.TRANSITION_DAYS:
        return 0
    since = at - timedelta(days=settings.TRANSITION_DAYS)
    over = Incident.objects.filter(phase=Phase.RESOLVED, resolved_at__lt=since)
    done = Message.objects.exclude(state=MessageState.PENDING).filter(made_at__lt=since)
    ended = Silence.objects.filter(ends_at__lt=since)
    return _delete(over) + _delete(done) + _delete(ended)


def _delete(old: QuerySet[Incident] | QuerySet[Message] | QuerySet[Silence]) -> int:
    deleted = 0
    while chunk := list(old.order_by().values_list("pk", flat=True)[:CHUNK_ROWS]):
        old.model.objects.filter(pk__in=chunk).delete()
        deleted += len(chunk)
    return deleted
