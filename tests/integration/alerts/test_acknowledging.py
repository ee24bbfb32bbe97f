"""Acknowledging: one function, by which admin, API and page note who looks after an incident."""

from datetime import UTC, datetime

import pytest

from alerts import api
from alerts.models import Incident
from tests.channels import fire, resolve

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def acknowledged_by() -> list[str]:
    return list(Incident.objects.order_by("id").values_list("acknowledged_by", flat=True))


def test_who_acknowledges_is_noted_on_what_he_names_alone() -> None:
    made = [fire("shop:web", at=START), fire("shop:db", at=START)]
    assert api.acknowledge([made[0].pk], by="olga") == 1
    assert acknowledged_by() == ["olga", ""]
    assert Incident.objects.filter(acknowledged_at=None).get() == made[1]


def test_who_was_first_to_acknowledge_stays() -> None:
    made = fire(at=START)
    api.acknowledge([made.pk], by="olga")
    assert api.acknowledge([made.pk], by="anna") == 0
    assert acknowledged_by() == ["olga"]


def test_what_is_over_is_not_acknowledged() -> None:
    made = fire(at=START)
    resolve(made, at=START)
    assert api.acknowledge([made.pk], by="olga") == 0
    assert acknowledged_by() == [""]


def test_a_long_name_is_cut() -> None:
    api.acknowledge([fire(at=START).pk], by="o" * 200)
    assert acknowledged_by() == ["o" * 150]
