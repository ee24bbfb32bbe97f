"""The outbox on a virtual clock: what is told, when, to whom, and what is not (I18)."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from alerts.core.conditions import Condition, Phase, Severity
from alerts.models import Change, Channel, Delivery, DeliveryState, Incident, Message, MessageState, Route
from alerts.outbox import enqueue, trouble
from alerts.pruning import prune_told
from alerts.sending.bundling import bundle
from reconciler.models import Container, Host, Workload
from tests.channels import channel, fire, fire_all, look, message, resolve, states

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def after(**length: float) -> datetime:
    return NOW + timedelta(**length)


def subjects() -> list[str]:
    """Return the subjects of the mails that were sent."""
    return [str(sent.subject) for sent in mail.outbox]


def test_an_incident_is_told_after_thirty_seconds() -> None:
    channel()
    fire(at=NOW)
    look(after(seconds=29))
    assert subjects() == []
    look(after(seconds=30))
    assert subjects() == ["✗ shop:web missing · berlin"]
    assert states() == [DeliveryState.SENT]


def test_what_is_sent_is_not_sent_again() -> None:
    channel()
    fire(at=NOW)
    for seconds in (30, 40, 50):
        look(after(seconds=seconds))
    assert len(mail.outbox) == 1


def test_what_happens_within_thirty_seconds_on_one_host_is_one_message() -> None:
    channel()
    fire("shop:web", at=NOW)
    fire("shop:db", at=after(seconds=29))
    look(after(seconds=30))
    assert subjects() == ["✗ 2 missing · berlin"]


def test_another_host_and_another_severity_are_messages_of_their_own() -> None:
    channel()
    fire("shop:web", at=NOW)
    fire("shop:db", at=NOW, host="rome")
    fire("shop:cache", at=NOW, severity=Severity.NOTIFY, condition=Condition.UNHEALTHY)
    look(after(seconds=30))
    assert len(mail.outbox) == 3


def test_what_is_new_is_told_every_five_minutes() -> None:
    channel()
    fire("shop:web", at=NOW)
    look(after(seconds=30))
    fire("shop:db", at=after(minutes=1))
    look(after(minutes=5))
    assert len(mail.outbox) == 1
    look(after(minutes=5, seconds=30))
    assert subjects()[1:] == ["✗ shop:db missing · berlin"]
    assert "Also wrong there:\n  ✗ shop:web" in mail.outbox[1].body


def test_a_resolution_says_how_long_it_took() -> None:
    channel()
    incident = fire(at=NOW)
    look(after(seconds=30))
    resolve(incident, at=after(minutes=11))
    look(after(minutes=11, seconds=30))
    assert subjects()[1:] == ["✓ shop:web · berlin: over after 12 min"]


def test_what_stands_is_told_again_every_four_hours() -> None:
    channel()
    fire(at=NOW)
    look(after(seconds=30))
    look(after(hours=4))
    assert len(mail.outbox) == 1
    look(after(hours=4, seconds=30))
    look(after(hours=4, seconds=40))
    assert subjects()[1:] == ["✗ still: shop:web missing · berlin"]
    look(after(hours=8, seconds=30))
    assert len(mail.outbox) == 3


def test_what_is_acknowledged_is_not_told_again() -> None:
    channel()
    incident = fire(at=NOW)
    look(after(seconds=30))
    Incident.objects.filter(pk=incident.pk).update(acknowledged_at=after(minutes=1))
    look(after(hours=5))
    assert len(mail.outbox) == 1


def test_a_new_incident_after_the_group_is_over_is_told_after_thirty_seconds() -> None:
    channel()
    incident = fire(at=NOW)
    look(after(seconds=30))
    resolve(incident, at=after(minutes=2))
    look(after(minutes=5, seconds=30))
    fire(at=after(minutes=6))
    look(after(minutes=6, seconds=30))
    assert len(mail.outbox) == 3


def test_what_was_resolved_before_it_was_sent_is_not_sent() -> None:
    channel()
    incident = fire(at=NOW)
    resolve(incident, at=after(seconds=20))
    look(after(seconds=60))
    look(after(hours=9))
    assert subjects() == []
    assert states() == [DeliveryState.DROPPED] * 2


def test_an_incident_that_goes_on_after_it_seemed_to_be_over_is_not_told_again() -> None:
    channel()
    incident = fire(at=NOW)
    incident.ordinal = 3
    enqueue([Change(incident, Phase.CLEARING, after(minutes=1))])
    assert len(states()) == 1


def test_what_happens_once_more_while_it_stands_is_told_again() -> None:
    channel()
    incident = fire(at=NOW, condition=Condition.OOM)
    look(after(seconds=30))
    incident.ordinal = 2
    enqueue([Change(incident, Phase.FIRING, after(minutes=9))])
    look(after(minutes=10))
    assert subjects() == ["✗ shop:web out of memory · berlin"] * 2


def test_what_never_fired_is_not_told_to_be_over() -> None:
    channel()
    incident = fire(at=NOW, phase=Phase.PENDING)
    resolve(incident, at=after(minutes=1))
    assert states() == []


def test_a_change_is_enqueued_once_however_often_it_is_recorded() -> None:
    channel()
    incident = fire(at=NOW)
    enqueue([Change(incident, None, NOW)])
    assert len(states()) == 1


def test_nothing_is_enqueued_of_a_transaction_that_fails() -> None:
    channel()
    with transaction.atomic():
        fire(at=NOW)
        transaction.set_rollback(True)
    assert not Delivery.objects.exists()


def test_routes_decide_who_is_told() -> None:
    first, second, _ = channel("first"), channel("second"), channel("everything")
    Workload.objects.create(id="shop", kind="project", ref_id="1", name="shop")
    Route.objects.create(host="berlin", workload_kind="project").channels.add(first)
    Route.objects.create(severity=Severity.DIGEST).channels.add(second)
    fire(at=NOW)
    look(after(seconds=30))
    assert sorted(to for sent in mail.outbox for to in sent.to) == ["everything@example.org", "first@example.org"]


def test_who_was_told_of_the_beginning_is_told_of_the_end_whatever_the_routes_are_by_then() -> None:
    first = channel("first")
    incident = fire(at=NOW)
    look(after(seconds=30))
    channel("new")
    Route.objects.create(host="rome").channels.add(first)
    resolve(incident, at=after(minutes=10))
    look(after(minutes=11))
    assert [sent.to for sent in mail.outbox] == [["first@example.org"]] * 2


def test_a_channel_that_is_off_is_told_nothing() -> None:
    channel()
    Channel.objects.update(is_enabled=False)
    fire(at=NOW)
    assert states() == []


def test_a_mass_is_one_message_and_a_few_queries_for_each_channel_and_host() -> None:
    channel("first"), channel("second")
    fire_all([f"shop:{number}" for number in range(2_500)], at=NOW, host="berlin")
    fire_all([f"blog:{number}" for number in range(2_500)], at=NOW, host="rome")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        look(after(seconds=30))
    assert sorted(subjects()) == ["✗ 2,500 alerts · berlin"] * 2 + ["✗ 2,500 alerts · rome"] * 2
    assert len(queries) < 200
    assert set(states()) == {DeliveryState.SENT}


def test_a_digest_is_gathered() -> None:
    channel()
    fire(at=NOW, condition=Condition.ORPHAN, severity=Severity.DIGEST)
    look(after(minutes=59))
    assert subjects() == []
    look(after(hours=1))
    assert len(mail.outbox) == 1


def test_messages_that_were_given_up_are_a_trouble_of_the_index() -> None:
    channel()
    fire(at=NOW)
    look(after(seconds=30))
    assert trouble(NOW, NOW) == ""
    Message.objects.update(state=MessageState.DEAD)
    assert "1 messages were given up" in trouble(NOW, NOW)


def test_two_workers_make_one_message_of_a_group() -> None:
    channel()
    fire(at=NOW)
    made: list[Any] = [*bundle(after(seconds=30)), *bundle(after(seconds=30))]
    assert [each.pk for each in made] == [message().pk]


def test_messages_that_nobody_sends_are_a_trouble_of_the_index() -> None:
    channel()
    fire(at=NOW)
    bundle(after(minutes=1))
    assert trouble(after(minutes=10), after(minutes=10)) == ""
    assert "1 messages are due and nobody sends them" in trouble(after(minutes=11), after(minutes=11))


def test_what_waits_because_its_receiver_asks_for_it_is_no_trouble_of_the_index() -> None:
    channel()
    fire(at=NOW)
    bundle(after(minutes=1))
    Channel.objects.update(not_before=after(hours=2))
    assert trouble(after(hours=2), after(hours=2)) == ""
    assert trouble(after(hours=2, minutes=9), after(hours=2, minutes=9)) == ""
    assert "1 messages are due" in trouble(after(hours=2, minutes=10), after(hours=2, minutes=10))


def test_a_wait_that_a_wrong_clock_has_noted_hides_no_trouble_of_the_index() -> None:
    channel()
    fire(at=NOW)
    bundle(after(minutes=1))
    Channel.objects.update(not_before=after(days=900))
    assert "1 messages are due" in trouble(after(minutes=11), after(minutes=11))


@pytest.mark.parametrize("state", [MessageState.DEAD, MessageState.PENDING])
def test_a_test_that_does_not_arrive_is_no_trouble_of_the_index(state: MessageState) -> None:
    Message.objects.create(channel=channel(), is_test=True, state=state, made_at=NOW, next_attempt_at=NOW)
    assert trouble(after(hours=1), after(hours=1)) == ""


def test_what_is_over_and_told_is_deleted_when_history_is_and_what_stands_is_kept(settings: Settings) -> None:
    channel()
    over, _ = fire("shop:web", at=NOW), fire("shop:db", at=NOW)
    look(after(seconds=30))
    resolve(over, at=after(minutes=10))
    look(after(minutes=11))
    assert prune_told(after(days=settings.TRANSITION_DAYS)) == 0
    assert prune_told(after(days=settings.TRANSITION_DAYS + 1)) == 3
    assert [incident.subject for incident in Incident.objects.all()] == ["shop:db"]
    assert len(states()) == 1
    settings.TRANSITION_DAYS = 0
    assert prune_told(after(days=9_999)) == 0


def test_the_links_of_a_message_lead_to_pages_that_are_there(settings: Settings, admin_client: Client) -> None:
    settings.SITE_URL = "https://index.example.org"
    channel()
    Host.objects.create(name="berlin")
    Container.objects.create(id="shop:web@berlin", workload_id="shop", host_id="berlin")
    of_row = fire("shop:web@berlin", at=NOW)
    of_host = fire("berlin", at=NOW, condition=Condition.HOST, workload_id="")
    look(after(seconds=30))
    paths = re.findall(r"https://index\.example\.org(/\S*)", str(mail.outbox[0].body))
    incidents = {f"/incidents/{each.pk}" for each in (of_row, of_host)}
    assert {*incidents, "/", "/admin/alerts/silence/add/?host=berlin"} == set(paths)
    assert {path: admin_client.get(path).status_code for path in paths} == dict.fromkeys(paths, 200)


def test_what_is_resolved_just_while_messages_are_made_is_not_told_to_be_over(monkeypatch: pytest.MonkeyPatch) -> None:
    channel()
    resolve(fire(at=NOW), at=after(seconds=20))
    with monkeypatch.context() as patch:
        # as if the end had come right after what is over was dropped
        patch.setattr("alerts.sending.bundling.drop_what_nobody_was_told", lambda: None)
        bundle(after(seconds=60))
    look(after(seconds=61))
    assert subjects() == []
    assert states() == [DeliveryState.DROPPED] * 2
