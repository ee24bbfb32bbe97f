"""The feed and the history in it: how rows and hosts have changed, when and why."""

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q

from reconciler.core.labels import MAX_VALUE_CHARS
from reconciler.core.observation import MAX_CONTAINER_ID_CHARS, MAX_HEALTH_CHARS, MAX_STATE_CHARS
from reconciler.models.container import Container
from reconciler.models.host import Host
from reconciler.models.state import State


class ChangeKind(models.TextChoices):
    """What an entry of the feed tells of."""

    CONTAINER = "container", "container"
    HOST = "host", "host"
    DEPLOYMENT = "deployment", "deployment"
    INCIDENT = "incident", "incident"


IS_STEP = Q(kind=ChangeKind.CONTAINER, is_step=True)
"""The condition that an entry is a step of a row's history."""
IS_END = Q(kind=ChangeKind.CONTAINER, to_state=State.GONE)
"""The condition that an entry is the end of a row's history."""


MOST_SEARCHED = 100_000
"""People's searches look at so many entries at a time, the newest first: to look at a million takes seconds."""


class TransitionQuerySet(models.QuerySet["Transition"]):
    """The questions people ask of history: when did a row go down, and how often."""

    def steps(self) -> "TransitionQuerySet":
        """The history of rows: entries that change a state, a health or a bound container, or tell a restart."""
        return self.filter(IS_STEP)

    def of(self, row: "Container | str") -> "TransitionQuerySet":
        """The history of one row, given as a Container or by id; what was committed first comes first."""
        return self.steps().filter(row_id=row.pk if isinstance(row, Container) else row).order_by("id")

    def after(self, position: int) -> "TransitionQuerySet":
        """The feed after an entry with this id, in the order of its commits."""
        return self.filter(id__gt=position).order_by("id")

    def since(self, at: datetime) -> "TransitionQuerySet":
        """Transitions from a moment on."""
        return self.filter(at__gte=at)

    def first_left_out(self, most: int) -> int:
        """The id of the newest entry that is not among the newest so many of these; 0 if these are no more."""
        return self.order_by("-id").values_list("id", flat=True)[most : most + 1].first() or 0

    def search(self, text: str) -> "TransitionQuerySet":
        """Entries that hold a text; of a container id, people know the beginning."""
        holds = Q(row__id__icontains=text) | Q(cause__icontains=text) | Q(container_id__startswith=text)
        return self.filter(holds)

    def downs(self) -> "TransitionQuerySet":
        """Transitions out of running, and restarts between two looks. A row that has moved did not go down."""
        ended = ~Q(to_state__in=(State.RUNNING, State.MOVED))
        return self.filter(ended | Q(restarts__gt=0), from_state=State.RUNNING)


class Transition(models.Model):
    """An entry of the feed: a change that readers see, written in the transaction that makes it.

    `reconciler.feed` alone writes entries, so that their ids are in the order of their commits. Neither
    row nor host has a database constraint, because history outlives both. Of a container, `is_step` tells
    the steps of its row's history from changes of other columns, which leave the state as it is; `cause`
    says what has changed. Of a host, the row is empty, and the states are its conditions. Of a deployment, the
    states are those of DeploymentState, and the row is empty if a whole workload is deployed. Of an incident, which
    `incident_id` names, the states are its phases. `at` is when the change was written, by the clock of the machine
    that wrote it; do not sort by it. `restarts` is by how much the restart count had grown. `workload_id` is what the
    row served then.
    """

    kind = models.CharField(max_length=16, choices=ChangeKind, default=ChangeKind.CONTAINER)
    is_step = models.BooleanField(default=True)
    row = models.ForeignKey(
        Container, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="transitions"
    )
    host = models.ForeignKey(
        Host, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="transitions"
    )
    workload_id = models.CharField(max_length=MAX_VALUE_CHARS, blank=True, default="")
    from_state = models.CharField(max_length=MAX_STATE_CHARS, choices=State, blank=True, default=State.PENDING)
    to_state = models.CharField(max_length=MAX_STATE_CHARS, choices=State)
    from_health = models.CharField(max_length=MAX_HEALTH_CHARS, blank=True, default="")
    to_health = models.CharField(max_length=MAX_HEALTH_CHARS, blank=True, default="")
    container_id = models.CharField(max_length=MAX_CONTAINER_ID_CHARS, blank=True, default="")
    at = models.DateTimeField()
    cause = models.TextField(blank=True, default="")
    trigger = models.CharField(max_length=16, blank=True, default="")
    exit_code = models.IntegerField(null=True, default=None)
    oom_killed = models.BooleanField("OOM-killed", null=True, default=None)
    restarts = models.PositiveIntegerField(default=0)
    incident_id = models.PositiveBigIntegerField(null=True, default=None)

    objects = TransitionQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            # uptime is reckoned from these columns alone, without a look at the table
            models.Index(fields=["row", "id", "at", "to_state", "host"], condition=IS_STEP, name="transition_steps"),
            models.Index(fields=["row", "at"], name="transition_row_at"),
            models.Index(fields=["at", "id"], name="transition_at_id"),
            models.Index(fields=["workload_id", "row"], condition=IS_END, name="transition_ends"),
            models.Index(fields=["host", "id"], name="transition_host_id"),
            # few entries tell of restarts, and restart loops are looked for all the time
            models.Index(fields=["at"], condition=Q(restarts__gt=0), name="transition_restarts"),
        ]

    def __str__(self) -> str:
        return f"{self.row_id or self.host_id}: {self.from_state or 'none'} → {self.to_state}"
