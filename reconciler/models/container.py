"""Containers: which one serves a workload, where, in what state, and what else is known about it."""

from datetime import datetime, timedelta
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import BooleanField, Case, ExpressionWrapper, F, OuterRef, Q, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from reconciler.core.labels import MAX_VALUE_CHARS, Path
from reconciler.core.last_inspect import MAX_DETAILS_STATE_CHARS, DetailsState
from reconciler.core.observation import (
    MAX_CONTAINER_ID_CHARS,
    MAX_HEALTH_CHARS,
    MAX_IMAGE_CHARS,
    MAX_PORT,
    MAX_STATE_CHARS,
)
from reconciler.core.row_ids import LOCAL_HOST, MAX_ROW_ID_CHARS
from reconciler.models.deployment import deploying_condition
from reconciler.models.host import Host, latest_believed
from reconciler.models.state import ROW_STATES, UNKNOWN, State
from reconciler.models.trouble import Trouble, orphan_condition, severity, trouble_condition, unknown_condition
from reconciler.models.workload import Deployed, Workload, WorkloadKind


class ContainerQuerySet(models.QuerySet["Container"]):
    """The questions people ask of the index."""

    def placeholders(self) -> "ContainerQuerySet":
        """Rows of deploys that are under way; they are not bound to a container yet."""
        return self.filter(container_id="").exclude(state=State.MOVED)

    def bound(self) -> "ContainerQuerySet":
        """Rows that are bound to a container, whether it is there or not."""
        return self.exclude(container_id="")

    def present(self) -> "ContainerQuerySet":
        """Rows whose container is there, in whatever state."""
        return self.bound().exclude(state=State.MISSING)

    def missing(self) -> "ContainerQuerySet":
        """Rows whose container is gone from its host."""
        return self.filter(state=State.MISSING)

    def moved(self) -> "ContainerQuerySet":
        """Rows whose container now stands for another row; they are bound to no container."""
        return self.filter(state=State.MOVED, container_id="")

    def orphans(self) -> "ContainerQuerySet":
        """Rows whose workload does not exist."""
        return self.filter(orphan_condition())

    def on(self, host: Host | str) -> "ContainerQuerySet":
        """Rows of one host, given as a Host or by name."""
        return self.filter(host=host)

    def search(self, text: str) -> "ContainerQuerySet":
        """Rows that hold a text in what people know them by; of a container id, they know the beginning."""
        # a join would hide orphans
        named = Workload.objects.filter(name__icontains=text).order_by()
        found = Q(container_id__startswith=text) | Q(workload__in=named.values("id"))
        for column in ("id", "image_ref", "workload__id", "role", "host__name"):
            found |= Q(**{f"{column}__icontains": text})
        return self.filter(found)

    def with_effective_state(self, at: datetime | None = None) -> "ContainerQuerySet":
        """Annotate `effective_state` and `unknown_since`.

        The effective state is `unknown` while the row's host cannot be asked, and otherwise the state;
        `state` stays the last known one. `unknown_since` is the last success of the host; None if the
        state is known, or if the host never answered. No row is rewritten.
        """
        is_unknown = unknown_condition(at or timezone.now())
        return self.annotate(
            effective_state=Case(
                When(is_unknown, then=Value(UNKNOWN)), default=F("state"), output_field=models.CharField()
            ),
            unknown_since=Case(When(is_unknown, then=F("host__last_success_at")), default=None),
        )

    def with_restarts(self, at: datetime | None = None) -> "ContainerQuerySet":
        """Annotate `restarts_lately`: by how much the restart count grew within RESTART_LOOP_SECONDS."""
        from reconciler.models.transition import Transition

        at = at or timezone.now()
        lately = (at - timedelta(seconds=settings.RESTART_LOOP_SECONDS), latest_believed(at))
        of_row = Transition.objects.filter(row_id=OuterRef("id"), container_id=OuterRef("container_id"))
        restarts = of_row.filter(at__range=lately).order_by().values("row_id")
        total = restarts.annotate(total=Sum("restarts")).values("total")
        return self.annotate(restarts_lately=Coalesce(Subquery(total), 0))

    def looping(self, at: datetime | None = None) -> "ContainerQuerySet":
        """Rows in a restart loop: restarted at least RESTART_LOOP_COUNT times within RESTART_LOOP_SECONDS."""
        return self.in_trouble(Trouble.LOOPING, at)

    def in_trouble(self, kind: Trouble = Trouble.ANY, at: datetime | None = None) -> "ContainerQuerySet":
        """Rows that somebody should look at, for one reason or for any."""
        at = at or timezone.now()
        return self.filter(trouble_condition(kind, at))

    def with_severity(self, at: datetime) -> "ContainerQuerySet":
        """Annotate `severity`: the place of a row's worst trouble in `WORST_FIRST`, or its length if there is none."""
        return self.annotate(severity=severity(at))

    def deploying(self, at: datetime | None = None) -> "ContainerQuerySet":
        """Rows that are, or were at a moment, being deployed: by themselves, or with their workload."""
        return self.filter(deploying_condition(at or timezone.now()))

    def with_deploying(self, at: datetime | None = None) -> "ContainerQuerySet":
        """Annotate `is_deploying`: whether the row is being deployed."""
        is_deploying = ExpressionWrapper(deploying_condition(at or timezone.now()), output_field=BooleanField())
        return self.annotate(is_deploying=is_deploying)


class Container(Deployed):
    """Which container serves a workload, where, and in what state.

    `workload` has no database constraint, because an operator must see a row whose workload is gone (an
    orphan). On an orphan `row.workload` raises Workload.DoesNotExist; `workload_id` is safe.
    """

    id = models.CharField(primary_key=True, max_length=MAX_ROW_ID_CHARS)
    workload = models.ForeignKey(Workload, on_delete=models.DO_NOTHING, db_constraint=False, related_name="containers")
    workload_kind = models.CharField(max_length=MAX_VALUE_CHARS, choices=WorkloadKind, blank=True, default="")
    role = models.CharField(max_length=MAX_VALUE_CHARS, blank=True, default="")
    container_id = models.CharField(
        max_length=MAX_CONTAINER_ID_CHARS,
        blank=True,
        default="",
        db_index=True,
        help_text="Empty: a placeholder, or moved.",
    )
    image_ref = models.CharField(max_length=MAX_IMAGE_CHARS, blank=True, default="")
    # the index on host and state below serves lookups by host as well
    host = models.ForeignKey(
        Host, on_delete=models.PROTECT, default=LOCAL_HOST, related_name="containers", db_index=False
    )
    state = models.CharField(max_length=MAX_STATE_CHARS, choices=ROW_STATES, blank=True, default=State.PENDING)
    health = models.CharField(
        max_length=MAX_HEALTH_CHARS, blank=True, default="", help_text="What its health check says; empty: it has none."
    )
    exit_code = models.IntegerField(
        null=True, blank=True, default=None, help_text="Of its last end; empty while it is up."
    )
    oom_killed = models.BooleanField("OOM-killed", null=True, blank=True, default=None)
    restart_count = models.IntegerField(
        null=True, blank=True, default=None, help_text="How often its restart policy has restarted it, as known last."
    )
    started_at = models.DateTimeField(null=True, blank=True, default=None, help_text="By its daemon's clock.")
    finished_at = models.DateTimeField(null=True, blank=True, default=None, help_text="By its daemon's clock.")
    details_of = models.CharField(
        max_length=MAX_CONTAINER_ID_CHARS,
        blank=True,
        default="",
        editable=False,
        help_text="The container that the details tell of; another than its own: they are owed.",
    )
    details_state = models.CharField(
        max_length=MAX_DETAILS_STATE_CHARS,
        choices=[(state.value, state.value) for state in DetailsState],
        default=DetailsState.OWED.value,
        # a deployer that writes SQL need not know of a column that came later
        db_default=DetailsState.OWED.value,
        editable=False,
        help_text="Told by an inspect (young: once more), owed by a later one, or the daemon was stuck on it.",
    )
    label_path = models.CharField(
        max_length=16,
        choices=[(path.value, path.value) for path in Path],
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="Which label of its container has led to the row; empty: not noted yet.",
    )
    alerts = models.CharField(
        max_length=MAX_VALUE_CHARS,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="What its labels say about alerts: off, or exit codes that are harmless.",
    )
    last_seen_at = models.DateTimeField(
        null=True, blank=True, default=None, help_text="The moment before the last listing that held its container."
    )
    orphaned_at = models.DateTimeField(
        null=True,
        blank=True,
        default=None,
        editable=False,
        help_text="When a pass first saw its container without its workload; empty: it did not.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ContainerQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [
            models.Index(fields=["host", "state"], name="container_host_state"),
            models.Index(fields=["state"], name="container_state"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(port__lte=MAX_PORT), name="container_port_in_range"),
        ]

    def __str__(self) -> str:
        return self.id
