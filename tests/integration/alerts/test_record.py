"""Incidents in the database: unique while they are open, and written together with what is to be sent (I18)."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, transaction

from alerts import outbox
from alerts.core.conditions import Condition, Phase, Severity
from alerts.models import Change, Incident
from alerts.record import record

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def incident(subject: str = "shop:web", phase: Phase = Phase.FIRING) -> Incident:
    return Incident(
        condition=Condition.MISSING,
        severity=Severity.PAGE,
        subject=subject,
        phase=phase,
        since=NOW,
        opened_at=NOW,
        fires_at=NOW,
    )


def test_a_condition_of_a_row_has_one_open_incident() -> None:
    incident().save()
    with pytest.raises(IntegrityError), transaction.atomic():
        incident(phase=Phase.PENDING).save()


def test_what_is_resolved_is_in_the_way_of_no_new_incident() -> None:
    incident(phase=Phase.RESOLVED).save()
    incident().save()
    assert Incident.objects.open().count() == 1


def test_a_change_of_an_open_incident_is_written_into_it() -> None:
    known = incident()
    record([Change(known, None, NOW)])
    known.phase, known.resolved_at = Phase.RESOLVED, NOW
    record([Change(known, Phase.CLEARING, NOW)])
    assert [(each.phase, each.resolved_at) for each in Incident.objects.all()] == [(Phase.RESOLVED, NOW)]


def test_no_phase_changes_without_what_is_to_be_sent_about_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """I18: both are written in one transaction."""

    def fails(_: Sequence[Change]) -> None:
        raise RuntimeError

    monkeypatch.setattr(outbox, "enqueue", fails)
    with pytest.raises(RuntimeError):
        record([Change(incident(), None, NOW)])
    assert not Incident.objects.exists()
