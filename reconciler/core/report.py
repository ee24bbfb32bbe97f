"""What one pass did, for logs, terminals and machines. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from reconciler.core.observation import Skip
from reconciler.core.plan import Change, Kind


class Trigger(StrEnum):
    """What asked for a pass."""

    BOOT = "boot"
    TICK = "tick"
    EVENT = "event"
    MANUAL = "manual"
    CONFIRM = "confirm"
    RETRY = "retry"


OF_ROUNDS = frozenset({Trigger.TICK, Trigger.BOOT})
"""Passes with these triggers are asked for all hosts at once; all others are urgent, and wait for no round."""


class Outcome(StrEnum):
    """How a pass ended. PLANNED: it was a dry run. SUPERSEDED: a younger pass had applied before."""

    APPLIED = "applied"
    PLANNED = "planned"
    BUSY = "busy"
    SUPERSEDED = "superseded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one pass did; built once, when it has ended.

    `conflicts` counts changes that were dropped because somebody was faster; it is at least 1 if an older
    pass applied meanwhile. Another pass then looks again. `held` counts rows that will go missing if a
    second listing agrees, and `hold_reason` says why. `confirm_after` is in how many seconds that listing
    is due; None if an earlier pass has already asked for it. `inspected` counts inspected containers.
    `event_at` is the time of the event that the pass answers.
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
    def moved(self) -> int:
        """Rows whose container now stands for another row."""
        return self._count(Kind.MOVED)

    @property
    def restarted(self) -> int:
        """Rows whose container was restarted between two looks."""
        return self._count(Kind.RESTART)

    @property
    def latency_ms(self) -> float | None:
        """How long after the event that it shows this pass was committed; None if it shows none.

        Several looks follow one event, for an Engine may announce it early: the one that found a change shows it.
        """
        if self.event_at is None or self.started_at is None or self.outcome != Outcome.APPLIED or not self.changes:
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
        """Return the report as a dictionary that JSON can hold."""
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
    *("host", "trigger", "outcome", "listed", "managed", "created", "updated", "unchanged", "missing", "moved"),
    *("restarted", "held", "inspected", "conflicts", "skips", "hold_reason", "confirm_after", "started_at", "seconds"),
    *("error", "event_at", "latency_ms", "changes"),
)


def served(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Return the changes that readers see; a change of details alone does not count."""
    return tuple(change for change in changes if change.kind is not Kind.DETAIL)
