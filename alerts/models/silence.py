"""Silences: of what nobody is to be told for a while."""

from datetime import datetime, timedelta
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from alerts.core.conditions import CONDITION_WORDS, Condition

LONGEST_SILENCE = timedelta(days=30)
MAX_BY_CHARS = 150


class SilenceQuerySet(models.QuerySet["Silence"]):
    """The questions people ask of silences."""

    def active(self, at: datetime) -> "SilenceQuerySet":
        """Silences that have begun by a moment and not ended."""
        return self.filter(begins_at__lte=at, ends_at__gt=at)


class Silence(models.Model):
    """Nobody is told of what it names, until it ends: of a host, a workload, a condition, or what fits all of these.

    What is empty fits everything; one that names nothing silences all, as for maintenance. It mutes the sending
    and never the judging: incidents open and resolve all the same, and what still stands when it ends is told then.
    """

    host = models.CharField(max_length=128, blank=True, default="", help_text="Empty: every host.")
    workload_id = models.CharField(
        "workload", max_length=128, blank=True, default="", help_text="Its id. Empty: every workload."
    )
    condition = models.CharField(
        max_length=16,
        blank=True,
        default="",
        choices=[(each.value, CONDITION_WORDS[each]) for each in Condition],
        help_text="Empty: every condition.",
    )
    begins_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField(help_text="No silence is for ever.")
    reason = models.CharField(max_length=255, blank=True, default="")
    by = models.CharField(max_length=MAX_BY_CHARS, blank=True, default="", editable=False)

    objects = SilenceQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-ends_at"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(ends_at__gte=F("begins_at")),
                name="silence_in_order",
                violation_error_message="A silence ends after it begins.",
            ),
        ]

    def __str__(self) -> str:
        named = {"host": self.host, "workload": self.workload_id, "condition": self.condition}
        return ", ".join(f"{what} {name}" for what, name in named.items() if name) or "everything"

    def clean(self) -> None:
        """Raise ValidationError if it would go on for too long: one that is forgotten must not hide things for ever."""
        # a form may lack either, which it says by itself
        if None in (self.begins_at, self.ends_at):
            return
        if self.ends_at > max(self.begins_at, timezone.now()) + LONGEST_SILENCE:
            raise ValidationError(f"A silence goes on for {LONGEST_SILENCE.days} days at most; prolong it then.")

    def end(self, at: datetime) -> None:
        """Let it end now, unless it has ended already."""
        self.ends_at = min(self.ends_at, at)
        self.begins_at = min(self.begins_at, self.ends_at)
        self.save(update_fields=["begins_at", "ends_at"])
