"""What is deployed: workloads, the instances of projects, and stacks."""

from typing import ClassVar

from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q

from reconciler.core.labels import MAX_VALUE_CHARS
from reconciler.core.observation import MAX_PORT


class WorkloadKind(models.TextChoices):
    """What a workload is."""

    PROJECT = "project", "project"
    SITE = "site", "static site"
    STACK = "stack", "stack"


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
    """The columns that an instance and the row of its container have in common."""

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
