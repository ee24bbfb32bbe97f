"""What one pass did, for logs, terminals and machines. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from reconciler.core.observation import Skip
from reconciler.core.plan import Change, Kind


class Trigger(StrEnum):
    """What a pass was asked for by."""

    BOOT = "boot"
    TICK = "tick"
    EVENT = "event"
    MANUAL = "manual"
    CONFIRM = "confirm"


class Outcome(StrEnum):
    """How a pass ended; PLANNED is a dry run's, and SUPERSEDED means that a younger pass had applied."""

    APPLIED = "applied"
    PLANNED = "planned"
    BUSY = "busy"
    SUPERSEDED = "superseded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one pass did; built once, when it has ended.

    `conflicts` counts changes dropped
    because somebody was faster; it is at least 1 if an older pass applied meanwhile. Another pass then
    looks again. `held` counts rows that would go missing if a second listing agreed, `hold_reason` says
    why; `confirm_after` is in how many seconds that listing is due, None if another pass has seen to it.
    `inspected` counts the containers asked for details. `event_at` is the event that the pass answers.
    """

    host: str
    trigger: Trigger
    outcome: Outcome
    listed: int = 0
    managed: int = 0
    unchanged: int = 0
    held: int = 0
    inspected: int = 0
    conflicts: int = 0
    skips: tuple[Skip, ...] = ()
    hold_reason: str = ""
    confirm_after: float | None = None
    started_at: datetime | None = None
    seconds: float = 0.0
    error: str = ""
    event_at: datetime | None = None
    changes: tuple[Change, ...] = ()

    @property
    def created(self) -> int:
        """Rows that are new."""
        return self._count(Kind.CREATE)

    @property
    def updated(self) -> int:
        """Rows that have changed."""
        return self._count(Kind.UPDATE)

    @property
    def missing(self) -> int:
        """Rows that have gone missing."""
        return self._count(Kind.MISSING)

    @property
    def restarted(self) -> int:
        """Rows whose container was restarted between two looks."""
        return self._count(Kind.RESTART)

    @property
    def latency_ms(self) -> float | None:
        """How long after the event that it answers the pass was committed."""
        if self.event_at is None or self.started_at is None or self.outcome != Outcome.APPLIED:
            return None
        lasted = self.started_at - self.event_at + timedelta(seconds=self.seconds)
        # a daemon on another machine has another clock
        return max(0.0, round(lasted.total_seconds() * 1000, 3))

    def __str__(self) -> str:
        held = f"{self.held} held ({self.hold_reason}), " if self.held else ""
        return (
            f"host {self.host}: {self.outcome}, {self.listed} listed, {self.managed} ours: {self.created} created, "
            f"{self.updated} updated, {self.missing} missing, {held}{self.unchanged} unchanged, "
            f"{self.conflicts} conflicts, {len(self.skips)} skipped ({self.trigger}, {self._span})"
        )

    @property
    def _span(self) -> str:
        return f"{self.seconds:.6f} s from {self.started_at.isoformat() if self.started_at else '?'}"

    def _count(self, kind: Kind) -> int:
        return sum(1 for change in self.changes if change.kind is kind)

    def as_dict(self) -> dict[str, Any]:
        """Return the report in JSON's terms."""
        plain = {name: getattr(self, name) for name in _IN_JSON}
        for name in ("started_at", "event_at"):
            plain[name] = plain[name] and plain[name].isoformat()
        plain["skips"] = [
            {"container_id": skip.container_id, "name": skip.name, "reason": skip.reason, "detail": skip.detail}
            for skip in self.skips
        ]
        plain["changes"] = [
            {"row": change.after.id, "kind": change.kind, "cause": change.cause} for change in self.changes
        ]
        return plain


_IN_JSON = (
    *("host", "trigger", "outcome", "listed", "managed", "created", "updated", "unchanged", "missing", "restarted"),
    *("held", "inspected", "conflicts", "skips", "hold_reason", "confirm_after", "started_at", "seconds", "error"),
    *("event_at", "latency_ms", "changes"),
)


def served(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Return the changes of what is served to readers; new details alone are none."""
    return tuple(change for change in changes if change.kind is not Kind.DETAIL)
