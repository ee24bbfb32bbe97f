"""The public Python interface of alerts: what pages, the API and the admin do for people. Reading is by `models`."""

from collections.abc import Collection

from django.db import transaction
from django.utils import timezone

from alerts.models import Incident, Judge

MOST_NAME_CHARS = 150


def acknowledge(incidents: Collection[int], *, by: str) -> int:
    """Note who looks after incidents, given by their ids; return how many of them nobody looked after so far.

    One that is over is left as it is, and so is one that somebody has acknowledged before. It is refused within a
    transaction of the caller's (RuntimeError), because the judge would have to wait for its end.
    """
    with transaction.atomic(durable=True):
        # the judge writes the same rows, so it waits until this is written, or this waits for it
        Judge.of_this_database().keep_waiting()
        standing = Incident.objects.open().filter(pk__in=incidents, acknowledged_at=None)
        return standing.update(acknowledged_at=timezone.now(), acknowledged_by=by[:MOST_NAME_CHARS])
