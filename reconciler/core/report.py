"""What one pass did, for logs, terminals and machines. Pure."""

from collections import Counter
from dataclasses import dataclass, fields, replace
from datetime import datetime
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
    """What one pass did.

    `conflicts` counts changes dropped because somebody was faster; it is at least 1 if an older pass
    applied meanwhile. Another pass then looks again. `held` counts rows that would go missing if a
    second listing agreed, `hold_reason` says why; `confirm_after` is in how many seconds that listing
    is due, None if another pass has seen to it. `inspected` counts the containers asked for details.
    """

    host: str
    trigger: Trigger
    outcome: Outcome
    listed: int = 0
    managed: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    missing: int = 0
    restarted: int = 0
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
    latency_ms: float | None = None
    changes: tuple[Change, ...] = ()

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

    def with_changes(self, changes: tuple[Change, ...]) -> "Report":
        """Return the report with these changes and their counts; details alone are no change of what is served."""
        changes = tuple(change for change in changes if change.kind is not Kind.DETAIL)
        count = Counter(change.kind for change in changes)
        return replace(
            self,
            changes=changes,
            created=count[Kind.CREATE],
            updated=count[Kind.UPDATE],
            missing=count[Kind.MISSING],
            restarted=count[Kind.RESTART],
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the report in JSON's terms."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
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
