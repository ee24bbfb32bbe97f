"""What is wrong, since when, and how far its telling is."""

from alerts.models.incident import Change, Incident

__all__ = ["Change", "Incident"]
