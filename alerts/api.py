"""The public Python interface of alerts: what pages, the API and the admin do for people. Reading is by `models`."""

from collections.abc import Collection

from django.db import transaction
from django.utils import timezone

from alerts import feed
from alerts.models import Incident, Judge
from reconciler.api import tell_feed

MOST_NAME_CHARS = 150


def acknowledge(incidents: Collection[int], *, by: str) -> int:
    """Note who looks after incidents, given by their ids; return how many of them nobody looked after so far.

    One that is over is left as it is, and so is one that somebody has acknowledged before. The feed is told in the same
    transaction. It is refused within a transaction of the caller's (RuntimeError), because the judge and every pass
    would have to wait for its end.
    """
    at, name = timezone.now(), by[:MOST_NAME_CHARS]
    with transaction.atomic(durable=True):
        # the judge writes the same rows, so it waits until this is written, or this waits for it
        Judge.of_this_database().keep_waiting()
        standing = list(Incident.objects.open().filter(pk__in=incidents, acknowledged_at=None).order_by("id"))
        found = Incident.objects.filter(pk__in=[each.pk for each in standing])
        count = found.update(acknowledged_at=at, acknowledged_by=name)
        tell_feed(list(feed.of_acknowledged(standing, name, at)))
    return count
