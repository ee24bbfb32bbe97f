"""What the index knows: hosts, workloads and their instances and stacks, and the containers that serve them."""

from datetime import datetime, timedelta
from typing import ClassVar

from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Exists, F, OuterRef, Q

from reconciler.dispatch import LOCAL_HOST
from reconciler.labels import MAX_VALUE_CHARS
from reconciler.observation import MAX_CONTAINER_ID_CHARS, MAX_IMAGE_CHARS, MAX_PORT, MAX_STATE_CHARS

MAX_HOST_CHARS = 63
MAX_ROW_ID_CHARS = 2 * MAX_VALUE_CHARS + MAX_HOST_CHARS + len("::99999@")
"""The longest identity of DESIGN §5: workload:role:number@host."""
WATCHER_SILENT_AFTER = timedelta(seconds=30)
"""A watcher that has not written for so long is taken for dead."""


class WorkloadKind(models.TextChoices):
    """What a workload is."""

    PROJECT = "project", "project"
    SITE = "site", "static site"
    STACK = "stack", "stack"


class State(models.TextChoices):
    """States of a container row; a daemon's unknown state is stored as it is.

    `missing` is set by the sweep alone, `failed` by the deployer alone.
    """

    RUNNING = "running", "running"
    RESTARTING = "restarting", "restarting"
    PAUSED = "paused", "paused"
    CREATED = "created", "created"
    REMOVING = "removing", "removing"
    STOPPED = "stopped", "stopped"
    FAILED = "failed", "failed"
    MISSING = "missing", "missing"
    PENDING = "", "pending"


class Host(models.Model):
    """A machine with an Engine; its row also mints and proves the fence tokens of passes (I6)."""

    name = models.SlugField(primary_key=True, max_length=MAX_HOST_CHARS)
    url = models.CharField(
        "URL",
        max_length=512,
        blank=True,
        default="",
        help_text="unix:///path or tcp://name:port; empty: the environment's DOCKER_HOST",
    )
    enabled = models.BooleanField(default=True, help_text="Off: neither ticks nor the boot pass look at it.")
    fence_minted = models.PositiveBigIntegerField(default=0, editable=False)
    fence_applied = models.PositiveBigIntegerField(default=0, editable=False)
    last_attempt_at = models.DateTimeField(null=True, editable=False)
    last_success_at = models.DateTimeField(null=True, editable=False)
    last_error = models.TextField(blank=True, default="", editable=False)
    last_error_at = models.DateTimeField(null=True, editable=False)
    sightings_at = models.DateTimeField(
        null=True, editable=False, help_text="When last_seen_at of unchanged rows was last refreshed."
    )

    watching_since = models.DateTimeField(null=True, editable=False, help_text="Empty: its events are not followed.")
    watcher_alive_at = models.DateTimeField(null=True, editable=False)
    events_seen = models.PositiveBigIntegerField(default=0, editable=False)
    passes_asked = models.PositiveBigIntegerField(default=0, editable=False)
    drift_found = models.PositiveBigIntegerField(
        default=0, editable=False, help_text="Changes a tick found that no event had announced."
    )
    drift_found_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(fence_applied__lte=F("fence_minted")), name="host_fence_in_order"),
        ]

    def __str__(self) -> str:
        return self.name

    def is_watched(self, at: datetime) -> bool:
        """Tell whether a living watcher follows the host's events."""
        alive = self.watcher_alive_at
        return self.watching_since is not None and alive is not None and at - alive < WATCHER_SILENT_AFTER

    def is_stale(self, at: datetime, interval_seconds: float) -> bool:
        """Tell whether no pass has succeeded within three intervals."""
        last = self.last_success_at
        return last is None or (at - last).total_seconds() > 3 * interval_seconds


class Workload(models.Model):
    """Something a person deployed: a project, a static site or a stack."""

    id = models.CharField(primary_key=True, max_length=MAX_VALUE_CHARS)
    kind = models.CharField(max_length=MAX_VALUE_CHARS, choices=WorkloadKind, default=WorkloadKind.PROJECT)
    ref_id = models.CharField(max_length=MAX_VALUE_CHARS, help_text="Id of the project, site or stack it stands for.")
    name = models.CharField(max_length=255, blank=True, default="")

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["kind", "ref_id"], name="workload_kind_ref_id")]

    def __str__(self) -> str:
        return self.name or self.id


class Deployed(models.Model):
    """The columns an instance and the row of its container have in common."""

    image_tag = models.CharField(max_length=255, blank=True, default="")
    port = models.PositiveIntegerField(
        blank=True, default=0, validators=[MaxValueValidator(MAX_PORT)], help_text="0: none known"
    )
    subdomain = models.CharField(max_length=255, blank=True, default="")
    proxy_route_id = models.CharField(max_length=255, blank=True, default="")
    npm_proxy_id = models.PositiveIntegerField("NPM proxy id", blank=True, default=0)

    class Meta:
        abstract = True


class Instance(Deployed):
    """A deployed stage of a project, on the legacy label path."""

    id = models.CharField(primary_key=True, max_length=MAX_VALUE_CHARS)
    project_id = models.CharField(max_length=MAX_VALUE_CHARS, db_index=True)
    stage = models.CharField(max_length=MAX_VALUE_CHARS, blank=True, default="")

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(port__lte=MAX_PORT), name="instance_port_in_range"),
        ]

    def __str__(self) -> str:
        return self.id


class Stack(models.Model):
    """A Compose project that Tinyforge deployed."""

    id = models.CharField(primary_key=True, max_length=MAX_VALUE_CHARS)
    name = models.CharField(max_length=255, blank=True, default="")
    compose_project_name = models.CharField(max_length=MAX_VALUE_CHARS, unique=True)

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return self.name or self.id


def orphan_condition() -> Q:
    """Return the condition that a container's workload does not exist."""
    return ~Q(Exists(Workload.objects.filter(id=OuterRef("workload_id"))))


class ContainerQuerySet(models.QuerySet["Container"]):
    """The questions people ask of the index."""

    def placeholders(self) -> "ContainerQuerySet":
        """Rows of deploys in flight: bound to no container yet."""
        return self.filter(container_id="")

    def bound(self) -> "ContainerQuerySet":
        """Rows that are bound to a container, present or not."""
        return self.exclude(container_id="")

    def present(self) -> "ContainerQuerySet":
        """Rows whose container is there, in whatever state."""
        return self.bound().exclude(state=State.MISSING)

    def missing(self) -> "ContainerQuerySet":
        """Rows whose container is gone from its host."""
        return self.filter(state=State.MISSING)

    def orphans(self) -> "ContainerQuerySet":
        """Rows whose workload does not exist."""
        return self.filter(orphan_condition())

    def on(self, host: Host | str) -> "ContainerQuerySet":
        """Rows of one host, given as a Host or by name."""
        return self.filter(host=host)


class Container(Deployed):
    """Which container serves a workload, where, and in what state.

    `workload` has no database constraint: a row whose workload is gone is an orphan, which an
    operator must see. On an orphan `row.workload` raises Workload.DoesNotExist; `workload_id` is safe.
    """

    id = models.CharField(primary_key=True, max_length=MAX_ROW_ID_CHARS)
    workload = models.ForeignKey(Workload, on_delete=models.DO_NOTHING, db_constraint=False, related_name="containers")
    workload_kind = models.CharField(max_length=MAX_VALUE_CHARS, choices=WorkloadKind, blank=True, default="")
    role = models.CharField(max_length=MAX_VALUE_CHARS, blank=True, default="")
    container_id = models.CharField(
        max_length=MAX_CONTAINER_ID_CHARS, blank=True, default="", db_index=True, help_text="Empty: a placeholder."
    )
    image_ref = models.CharField(max_length=MAX_IMAGE_CHARS, blank=True, default="")
    # the composite index below serves lookups by host alone
    host = models.ForeignKey(
        Host, on_delete=models.PROTECT, default=LOCAL_HOST, related_name="containers", db_index=False
    )
    state = models.CharField(max_length=MAX_STATE_CHARS, choices=State, blank=True, default=State.PENDING)
    health = models.CharField(
        max_length=16, blank=True, default="", help_text="What its health check says; empty: it has none."
    )
    last_seen_at = models.DateTimeField(
        null=True, blank=True, default=None, help_text="The moment before the last listing that held its container."
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
