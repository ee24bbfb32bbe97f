"""I/O: which incidents are not to be told of now."""

from datetime import datetime

from alerts.models.incident import Incident, IncidentQuerySet


def muted(at: datetime) -> IncidentQuerySet:
    """Return the incidents that a silence mutes at a moment."""
    return Incident.objects.silenced(at)
