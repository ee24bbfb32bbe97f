"""The index's Celery application with passes of no cost: a pass notes that it was made, and asks no Engine."""

from typing import Any

from celery.signals import worker_ready

from tinyforge.celery import app

__all__ = ["app"]


def make_no_passes(**_: Any) -> None:
    """Put what costs nothing into the place of a pass."""
    from django.utils import timezone

    from reconciler import single_flight
    from reconciler.core.report import Outcome, Report, Trigger
    from reconciler.models import Host

    def no_pass(host: Host, lister: Any, *, trigger: Trigger, **_: Any) -> Report:
        now = timezone.now()
        Host.objects.filter(pk=host.pk).update(last_attempt_at=now, last_success_at=now)
        return Report(host=host.name, trigger=trigger, outcome=Outcome.APPLIED)

    vars(single_flight)["reconcile"] = no_pass


worker_ready.connect(make_no_passes)
