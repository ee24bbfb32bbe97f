"""Rows out of the database, as the pages show them."""

from dataclasses import fields
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, OuterRef, Q, Subquery

from reconciler.models import Transition, Workload
from reconciler.models.container import ContainerQuerySet
from web.pages.row import Row

_NAMES = [field.name for field in fields(Row)]


def annotated(rows: ContainerQuerySet, at: datetime) -> ContainerQuerySet:
    """Return rows with what the pages know of each beside its columns; take a few of them only."""
    of_row = Transition.objects.steps().filter(row_id=OuterRef("id"))
    changes = ~Q(from_state=F("to_state")) | ~Q(from_health=F("to_health"))
    steps = of_row.filter(changes).order_by("-id")
    lately = at - timedelta(seconds=settings.RESTART_LOOP_SECONDS)
    ends = of_row.filter(exit_code__isnull=False, at__gt=lately, container_id=OuterRef("container_id")).order_by("-id")
    restarts = of_row.filter(restarts__gt=0, at__gt=lately, container_id=OuterRef("container_id")).order_by("id")
    name = Workload.objects.filter(id=OuterRef("workload_id")).values("name")
    shown: ContainerQuerySet = (
        rows.with_effective_state(at)
        .with_restarts(at)
        .with_severity(at)
        .with_deploying(at)
        .annotate(
            workload_name=Subquery(name),
            changed_at=Subquery(steps.values("at")[:1]),
            cause=Subquery(steps.values("cause")[:1]),
            ended_lately=Subquery(ends.values("exit_code")[:1]),
            loop_began_at=Subquery(restarts.values("at")[:1]),
        )
    )
    return shown


def read(rows: ContainerQuerySet) -> list[Row]:
    """Read annotated rows."""
    return [Row(**values) for values in rows.values(*_NAMES)]
