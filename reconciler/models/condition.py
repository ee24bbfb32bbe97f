"""How a host is doing."""

from datetime import datetime
from enum import StrEnum

from reconciler.models.host import Host


class Condition(StrEnum):
    """How a host is doing. NEW: no pass over it has succeeded yet. HELD: a second listing has to agree first."""

    OFF = "off"
    FAILING = "failing"
    HELD = "held"
    STALE = "stale"
    NEW = "new"
    FRESH = "fresh"


CONDITION_CAUSES = {
    Condition.OFF: "it was switched off",
    Condition.FAILING: "its last pass failed",
    Condition.HELD: "so much was missing that a second listing has to agree",
    Condition.STALE: "no pass has succeeded within three intervals",
    Condition.NEW: "no pass has succeeded yet",
    Condition.FRESH: "its last pass succeeded",
}
"""Why a host is in a condition, for everybody to read: what its Engine said is for those who may change hosts."""


def condition(host: Host, at: datetime) -> Condition:
    """Return how a host is doing; if several conditions hold, the worst."""
    if not host.enabled:
        return Condition.OFF
    if host.last_error:
        return Condition.FAILING
    if host.last_success_at and host.is_stale(at):
        return Condition.STALE
    if host.held_since:
        return Condition.HELD
    return Condition.FRESH if host.last_success_at else Condition.NEW
