"""What is told again, and of what nothing more is told: after long silences, in repeats, and after it was given up."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection

from alerts.core.conditions import Condition, Severity
from alerts.models import Channel, Delivery, DeliveryState, Incident, Message, MessageState, Route, Silence
from alerts.sending.bundling import bundle
from tests.channels import channel, fire, look, resolve, states

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def after(**length: float) -> datetime:
    return NOW + timedelta(**length)


def subjects() -> list[str]:
    return [str(sent.subject) for sent in mail.outbox]


def given_up(*, may_have_arrived: bool) -> Message:
    """Return the only message that is to be sent, as if it had been given up."""
    made = Message.objects.get(state=MessageState.PENDING)
    Message.objects.filter(pk=made.pk).update(state=MessageState.DEAD, is_unsure=may_have_arrived)
    made.deliveries.update(state=DeliveryState.DEAD)
    return made


def test_what_still_stands_after_a_silence_of_thirty_days_is_told_then() -> None:
    channel()
    fire(at=NOW)
    look(after(seconds=30))
    Silence.objects.create(begins_at=after(minutes=1), ends_at=after(days=30))
    look(after(days=29))
    assert len(subjects()) == 1
    look(after(days=30, minutes=1))
    assert subjects()[1:] == ["✗ still: shop:web missing · berlin"]


def test_a_message_tells_nothing_beside_that_is_told_to_other_channels_alone() -> None:
    channel("everything")
    pages = channel("pages")
    Route.objects.create(severity=Severity.PAGE).channels.add(pages)
    fire("shop:db", at=NOW, severity=Severity.NOTIFY, condition=Condition.UNHEALTHY)
    look(after(seconds=30))
    fire("shop:web", at=after(minutes=1))
    look(after(minutes=2))
    told = {sent.to[0]: "shop:db" in sent.body for sent in mail.outbox if "shop:web" in sent.subject}
    assert told == {"everything@example.org": True, "pages@example.org": False}


@pytest.mark.parametrize("muted", [True, False])
def test_a_message_tells_nothing_beside_that_is_silenced_or_acknowledged(*, muted: bool) -> None:
    channel()
    fire("shop:db", at=NOW, workload_id="db")
    look(after(seconds=30))
    if muted:
        Silence.objects.create(begins_at=after(minutes=1), ends_at=after(days=1), workload_id="db")
    else:
        Incident.objects.update(acknowledged_at=after(minutes=1))
    fire("shop:web", at=after(minutes=9))
    look(after(minutes=10))
    assert subjects()[1:] == ["✗ shop:web missing · berlin"]
    assert "shop:db" not in mail.outbox[1].body


def test_what_stands_is_told_again_without_what_is_acknowledged() -> None:
    channel()
    fire("shop:web", at=NOW)
    fire("shop:db", at=NOW)
    look(after(seconds=30))
    Incident.objects.filter(subject="shop:db").update(acknowledged_at=after(minutes=1))
    look(after(hours=5))
    assert subjects()[1:] == ["✗ still: shop:web missing · berlin"]


def test_a_repeat_that_may_have_arrived_is_not_sent_again_when_nothing_stands_any_more() -> None:
    channel()
    fire(at=NOW)
    look(after(seconds=30))
    bundle(after(hours=5))
    Message.objects.filter(is_repeat=True).update(is_unsure=True)
    Incident.objects.update(acknowledged_at=after(hours=5))
    look(after(hours=6))
    assert len(subjects()) == 1
    assert Message.objects.get(is_repeat=True).state == MessageState.DROPPED


def test_no_beginning_that_was_given_up_is_sent_again_after_its_end_was_told() -> None:
    """I18: an end never comes before its beginning."""
    channel()
    incident = fire(at=NOW)
    bundle(after(seconds=30))
    begun = given_up(may_have_arrived=True)
    resolve(incident, at=after(hours=25))
    look(after(hours=26))
    assert Message.objects.send_again(after(hours=27)) == 0
    look(after(hours=27))
    assert [subject[0] for subject in subjects()] == ["✓"]
    assert (Message.objects.get(pk=begun.pk).state, states(phase="firing")) == (
        MessageState.DROPPED,
        [DeliveryState.DROPPED],
    )


def test_what_still_stands_of_a_message_that_was_given_up_is_sent_again_without_what_was_told_to_be_over() -> None:
    channel()
    incident = fire("shop:web", at=NOW)
    fire("shop:db", at=NOW)
    bundle(after(seconds=30))
    given_up(may_have_arrived=True)
    resolve(incident, at=after(hours=25))
    look(after(hours=26))
    assert Message.objects.send_again(after(hours=27)) == 1
    look(after(hours=27))
    assert subjects()[-1] == "✗ shop:db missing · berlin"


def test_what_is_forgotten_counts_as_given_up_no_more() -> None:
    channel()
    fire(at=NOW)
    bundle(after(seconds=30))
    given_up(may_have_arrived=False)
    assert Delivery.objects.dead().count() == 1
    assert Message.objects.forget() == 1
    assert states() == [DeliveryState.DROPPED]


def test_what_was_given_up_stays_so_if_another_message_of_its_group_is_made_at_that_very_moment() -> None:
    channel()
    fire("shop:web", at=NOW)
    bundle(after(seconds=30))
    given_up(may_have_arrived=False)
    fire("shop:db", at=after(hours=1))

    def bundle_before(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith('UPDATE "alerts_message"') and params[0] == MessageState.PENDING:
            bundle(after(hours=2))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(bundle_before):
        assert Message.objects.send_again(after(hours=2)) == 0
    assert states() == [DeliveryState.DEAD, DeliveryState.WAITING]


def test_nothing_is_sent_again_in_a_channel_that_is_off_and_has_a_message_to_send() -> None:
    channel()
    fire("shop:web", at=NOW)
    bundle(after(seconds=30))
    given_up(may_have_arrived=False)
    fire("shop:db", at=after(hours=1))
    bundle(after(hours=2))
    Channel.objects.update(is_enabled=False)
    assert Message.objects.send_again(after(hours=3)) == 0
    assert sorted(Message.objects.values_list("state", flat=True)) == [MessageState.DEAD, MessageState.PENDING]
