"""I/O: which incidents are not to be told of now."""

from datetime import datetime

from alerts.models import Incident, Silence
from alerts.models.incident import IncidentQuerySet


def muted(at: datetime) -> IncidentQuerySet:
    """Return the incidents that a silence mutes at a moment; mostly there is none, and this costs one small query."""
    if not Silence.objects.active(at).exists():
        return Incident.objects.none()
    return Incident.objects.silenced(at)
