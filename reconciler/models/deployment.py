"""Deployments: what is being deployed, so that people and programs can tell a deploy from a death."""

from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from reconciler.core.labels import MAX_VALUE_CHARS
from reconciler.core.row_ids import MAX_ROW_ID_CHARS
from reconciler.models.host import latest_believed

LONGEST_DEPLOYMENT = timedelta(minutes=30)
"""How far away its end is at most. Whoever takes longer says so again."""


class DeploymentState(models.TextChoices):
    """What the feed tells of a deployment."""

    DEPLOYING = "deploying", "deploying"
    DEPLOYED = "deployed", "deployed"


class DeploymentQuerySet(models.QuerySet["Deployment"]):
    """The questions people ask of deployments."""

    def under_way(self, at: datetime) -> "DeploymentQuerySet":
        """Deployments that had begun by a moment, and neither been given back nor ended by themselves."""
        not_given_back = Q(ended_at=None) | Q(ended_at__gt=at)
        return self.filter(not_given_back, began_at__lte=at, ends_at__gt=at)

    def over(self, at: datetime) -> "DeploymentQuerySet":
        """Deployments whose end has come, and has not been noted yet.

        An end that is too far away was noted by a wrong clock, and counts as come.
        """
        is_wrong = Q(ends_at__gt=latest_believed(at) + LONGEST_DEPLOYMENT)
        return self.filter(Q(ends_at__lte=at) | is_wrong, ended_at=None)


class Deployment(models.Model):
    """A lease: a workload, or a single row, is being deployed. It ends by itself, or when it is given back.

    `ends_at` is when it ends by itself. `ended_at` is when it did end: it is written when it is given back,
    or when a tick notices the end. So whether it is under way is asked of both. Neither workload nor row has
    a database constraint, because history outlives them.
    """

    workload_id = models.CharField("workload", max_length=MAX_VALUE_CHARS, blank=True, default="")
    row_id = models.CharField("row", max_length=MAX_ROW_ID_CHARS, blank=True, default="")
    began_at = models.DateTimeField()
    ends_at = models.DateTimeField(help_text="When it ends by itself.")
    ended_at = models.DateTimeField(null=True, default=None)
    by = models.CharField(max_length=512, blank=True, default="", help_text="Who has said so last.")

    objects = DeploymentQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(fields=["ends_at"], name="deployment_ends_at")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["workload_id", "row_id"], condition=Q(ended_at=None), name="deployment_one_open"
            ),
            models.CheckConstraint(
                condition=Q(workload_id="") & ~Q(row_id="") | ~Q(workload_id="") & Q(row_id=""),
                name="deployment_of_one_thing",
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gte=F("began_at")) & (Q(ended_at=None) | Q(ended_at__gte=F("began_at"))),
                name="deployment_in_order",
            ),
        ]

    def __str__(self) -> str:
        return f"deploy of {self.target}"

    @property
    def target(self) -> str:
        """Return in words what is deployed."""
        return f"row {self.row_id}" if self.row_id else f"workload {self.workload_id}"

    def is_under_way(self, at: datetime) -> bool:
        """Tell whether it had begun by a moment, and neither been given back nor ended by itself."""
        return self.began_at <= at < self.ends_at and (self.ended_at is None or self.ended_at > at)

    def prolong(self, lasts: timedelta, at: datetime) -> None:
        """Let it end later than it would, but not earlier; a beginning by a clock that was ahead is taken back."""
        self.began_at, self.ends_at = min(self.began_at, at), max(self.ends_at, at + lasts)

    def end(self, at: datetime) -> None:
        """Let it end at a moment; if another clock has put its beginning after that, it lasts no time."""
        self.began_at, self.ended_at = min(self.began_at, at), at


def deploying_condition(at: datetime) -> Q:
    """Return the condition that a container is being deployed, by itself or with its workload."""
    under_way = Deployment.objects.under_way(at).order_by()
    rows, workloads = under_way.exclude(row_id=""), under_way.exclude(workload_id="")
    return Q(id__in=rows.values("row_id")) | Q(workload_id__in=workloads.values("workload_id"))
