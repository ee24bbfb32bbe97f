"""I/O: writes changes of phase, what is to be sent, and what the feed is told, in one transaction.

Nothing else writes phases.
"""

from collections.abc import Sequence

from django.db import transaction

from alerts import feed, outbox
from alerts.models import Change, Incident
from reconciler.api import count_after_mass, tell_feed

CLOCKS = ["fires_at", "clears_at", "is_muted", "is_flapping"]
WRITTEN = [
    *("host", "workload_id", "phase", "ordinal", "since", "fired_at", "resolved_at", *CLOCKS),
    *("state_before", "state", "container_id", "image_ref", "cause", "exit_code", "oom_killed"),
]
"""What the judge may change on an incident that is open. Who has acknowledged it is written by others."""
CHUNK_ROWS = 500


def record(changes: Sequence[Change], dropped: Sequence[Change] = ()) -> None:
    """Write incidents that were opened or have changed their phase, and what is to be sent about them.

    The caller has raised `ordinal` of each by one. Those that are dropped have come to nothing, and are deleted. All is
    written in one transaction, or nothing (I18). The feed is told last, so a caller with a transaction ends it at once.
    """
    if not changes and not dropped:
        return
    with transaction.atomic():
        opened = [change.incident for change in changes if change.before is None]
        known = [change.incident for change in changes if change.before]
        Incident.objects.bulk_create(opened, batch_size=CHUNK_ROWS)
        Incident.objects.bulk_update(known, WRITTEN, batch_size=CHUNK_ROWS)
        count_after_mass(Incident, len(changes))
        outbox.enqueue(changes)
        told = [*feed.of_changes(changes), *feed.of_dropped(dropped)]
        Incident.objects.filter(pk__in=[change.incident.pk for change in dropped]).delete()
        tell_feed(told)


def save_clocks(incidents: Sequence[Incident]) -> None:
    """Write clocks of incidents whose phase has not changed, and of which there is nothing to tell."""
    Incident.objects.bulk_update(incidents, CLOCKS, batch_size=CHUNK_ROWS)
