"""Outages: when hosts could not be seen."""

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from reconciler.models.host import Host


class OutageKind(models.TextChoices):
    """Why a host could not be seen."""

    UNREACHABLE = "unreachable", "passes failed"
    NOBODY_LOOKED = "nobody_looked", "nobody looked"


class OutageQuerySet(models.QuerySet["Outage"]):
    """The questions people ask of outages."""

    def on(self, host: Host | str) -> "OutageQuerySet":
        """Outages of one host, given as a Host or by name."""
        return self.filter(host=host)

    def open(self) -> "OutageQuerySet":
        """Outages that have not ended."""
        return self.filter(ended_at=None)

    def within(self, since: datetime, until: datetime) -> "OutageQuerySet":
        """Outages that share some time with a span."""
        return self.filter(Q(ended_at=None) | Q(ended_at__gt=since), began_at__lt=until)


class Outage(models.Model):
    """A time in which a host could not be seen: from its last success to its next one.

    It is written when it is noticed, and for a host that never answered it begins when the host was made.
    The moments of the host's transitions never lie inside. The host has no database constraint, because
    history outlives it.
    """

    host = models.ForeignKey(
        Host, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="outages"
    )
    kind = models.CharField(max_length=16, choices=OutageKind)
    began_at = models.DateTimeField()
    noticed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, default=None)
    reason = models.TextField(blank=True, default="")

    objects = OutageQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(fields=["host", "began_at"], name="outage_host_began")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["host"], condition=Q(ended_at=None), name="outage_one_open"),
            models.CheckConstraint(
                condition=Q(noticed_at__gte=F("began_at")) & (Q(ended_at=None) | Q(ended_at__gte=F("noticed_at"))),
                name="outage_in_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.host_id}: {self.kind} from {self.began_at} to {self.ended_at or 'now'}"

    def end(self, at: datetime) -> None:
        """Let it end at a moment; if another clock has put its beginning after that, it lasts no time."""
        self.began_at, self.noticed_at, self.ended_at = min(self.began_at, at), min(self.noticed_at, at), at
