"""Silences mute the sending, and afterwards the net change is told, on a virtual clock."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail

from alerts.models import DeliveryState, Silence
from tests.channels import channel, fire, fire_all, look, resolve, states

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def after(**length: float) -> datetime:
    return NOW + timedelta(**length)


def silence(**named: str) -> None:
    """Silence what fits for two hours, from a minute on."""
    Silence.objects.create(begins_at=after(minutes=1), ends_at=after(hours=2), **named)


def subjects() -> list[str]:
    return [str(sent.subject) for sent in mail.outbox]


def test_what_still_stands_when_a_silence_ends_is_told_then_in_one_message() -> None:
    channel()
    silence(host="berlin")
    fire_all(["shop:web", "shop:db"], at=after(minutes=2))
    over = fire("shop:cache", at=after(minutes=3))
    resolve(over, at=after(minutes=30))
    for minutes in range(5, 120, 5):
        look(after(minutes=minutes))
    assert subjects() == []
    look(after(hours=2, minutes=1))
    assert subjects() == ["✗ 2 missing · berlin"]
    assert sorted(states()) == [DeliveryState.DROPPED] * 2 + [DeliveryState.SENT] * 2


def test_the_end_of_what_was_told_before_a_silence_is_told_after_it() -> None:
    channel()
    incident = fire(at=NOW)
    look(after(seconds=30))
    silence(workload_id="shop")
    resolve(incident, at=after(minutes=10))
    look(after(hours=1))
    assert len(subjects()) == 1
    look(after(hours=2, minutes=1))
    assert subjects()[1:] == ["✓ shop:web · berlin: over after 11 min"]


def test_what_a_silence_does_not_fit_is_told_meanwhile() -> None:
    channel()
    silence(condition="missing", host="rome")
    fire(at=after(minutes=2))
    look(after(minutes=3))
    assert subjects() == ["✗ shop:web missing · berlin"]


def test_what_is_silenced_is_not_told_again_while_it_stands() -> None:
    channel()
    fire(at=NOW)
    look(after(seconds=30))
    Silence.objects.create(begins_at=after(minutes=1), ends_at=after(hours=9))
    look(after(hours=5))
    assert len(subjects()) == 1
    look(after(hours=9, minutes=1))
    assert subjects()[1:] == ["✗ still: shop:web missing · berlin"]


def test_a_message_that_could_not_be_sent_tells_nothing_that_is_silenced_since() -> None:
    made = channel()
    fire(at=NOW)
    fire("blog:web", at=NOW, workload_id="blog")
    type(made).objects.update(not_before=after(minutes=5))
    look(after(seconds=30))
    silence(workload_id="shop")
    look(after(minutes=6))
    assert subjects() == ["✗ blog:web missing · berlin"]
