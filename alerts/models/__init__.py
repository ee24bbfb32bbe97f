"""What is wrong, since when, and how far its telling is."""

from alerts.models.incident import Change, Incident
from alerts.models.judge import Judge

__all__ = ["Change", "Incident", "Judge"]
