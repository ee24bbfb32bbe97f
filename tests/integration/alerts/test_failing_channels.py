"""Channels that fail, on a virtual clock with real receivers: what is tried again, given up and told at last (I18)."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django.fixtures import Settings

from alerts.core.letter import Letter
from alerts.models import Channel, ChannelKind, DeliveryState, Message, MessageState
from alerts.sending.bundling import bundle
from alerts.sending.composing import compose
from alerts.sending.transmitting import transmit
from alerts.sending.turns import send, take_turn
from tests.builders import certain
from tests.channels import channel, fire, look, message, resolve, states
from tests.receivers import MailServer, Receiver, deaf_server, mail_server, webhook_receiver

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def after(**length: float) -> datetime:
    return NOW + timedelta(**length)


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    """A receiver of webhooks, and the channel that leads there."""
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    with webhook_receiver() as made:
        channel("hook", ChannelKind.WEBHOOK, made.url)
        yield made


@pytest.fixture
def server(settings: Settings) -> Iterator[MailServer]:
    """A mail server, and a channel that leads there."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_TIMEOUT, settings.EMAIL_HOST, settings.EMAIL_USE_TLS = 0.3, "127.0.0.1", False
    channel()
    with mail_server() as made:
        settings.EMAIL_PORT = made.port
        yield made


def ids(receiver: Receiver) -> set[str]:
    return {each.headers["webhook-id"] for each in receiver.got}


def test_a_webhook_that_fails_is_sent_again_under_the_same_id(receiver: Receiver) -> None:
    receiver.answer(500)
    fire(at=NOW)
    look(after(seconds=30))
    assert (message().state, message().attempts, len(receiver.got)) == (MessageState.PENDING, 1, 1)
    look(after(seconds=31))
    assert len(receiver.got) == 1
    look(after(seconds=36))
    assert (message().state, len(receiver.got), len(ids(receiver))) == (MessageState.SENT, 2, 1)


def test_a_receiver_that_fails_for_an_hour_is_told_what_is_true_then(receiver: Receiver) -> None:
    for _ in range(100):
        receiver.answer(503)
    first = fire("shop:web", at=NOW)
    look(after(seconds=30))
    fire("shop:db", at=after(minutes=10))
    resolve(first, at=after(minutes=20))
    for minutes in range(1, 60):
        look(after(minutes=minutes))
    receiver.answers.clear()
    look(after(hours=3))
    assert '"title":"✗ shop:db missing · berlin"' in receiver.got[-1].body.decode()
    look(after(hours=3, minutes=6))
    assert set(states()) == {DeliveryState.DROPPED, DeliveryState.SENT}
    assert 8 <= len(receiver.got) <= 16


def test_what_may_have_arrived_is_told_to_be_over(receiver: Receiver) -> None:
    receiver.answer(500)
    incident = fire(at=NOW)
    look(after(seconds=30))
    resolve(incident, at=after(seconds=31))
    look(after(minutes=1))
    look(after(minutes=7))
    assert [b"\xe2\x9c\x93" in got.body for got in receiver.got] == [False, False, True]
    assert states() == [DeliveryState.SENT] * 2


def test_a_receiver_that_asks_to_wait_is_not_asked_before(receiver: Receiver) -> None:
    receiver.answer(429, retry_after="600")
    fire(at=NOW)
    look(after(seconds=30))
    fire("blog:web", at=after(minutes=1), host="rome")
    look(after(minutes=10))
    assert len(receiver.got) == 1
    look(after(minutes=11))
    assert len(receiver.got) == 3


def test_a_receiver_that_is_gone_turns_its_channel_off(receiver: Receiver) -> None:
    receiver.answer(410)
    fire(at=NOW)
    look(after(seconds=30))
    made = Channel.objects.get()
    assert (made.is_enabled, made.problem) == (False, "the receiver answered 410")
    assert (message().state, states()) == (MessageState.DEAD, [DeliveryState.DEAD])
    look(after(hours=1))
    assert len(receiver.got) == 1


@pytest.mark.parametrize(("kind", "hours"), [(ChannelKind.EMAIL, 24), (ChannelKind.WEBHOOK, 72)])
def test_a_message_is_given_up_after_a_day_and_a_webhook_after_three(
    kind: ChannelKind, hours: int, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    channel("ops", kind, "http://127.0.0.1:1/" if kind == ChannelKind.WEBHOOK else "")
    fire(at=NOW)
    at = after(seconds=30)
    while at < after(hours=hours):
        look(at)
        assert message().state == MessageState.PENDING
        at += timedelta(minutes=30)
    look(after(hours=hours, minutes=1))
    look(after(hours=hours + 3))
    assert (message().state, states()) == (MessageState.DEAD, [DeliveryState.DEAD])


def test_what_was_given_up_can_be_sent_again_under_its_id(receiver: Receiver) -> None:
    receiver.answer(410)
    fire(at=NOW)
    look(after(seconds=30))
    Channel.objects.update(is_enabled=True)
    assert Message.objects.send_again(after(hours=1)) == 1
    look(after(hours=1))
    assert (message().state, states(), len(ids(receiver))) == (MessageState.SENT, [DeliveryState.SENT], 1)


def test_the_end_of_what_nobody_was_told_is_not_told(receiver: Receiver) -> None:
    receiver.answer(410)
    incident = fire(at=NOW)
    look(after(seconds=30))
    Channel.objects.update(is_enabled=True)
    resolve(incident, at=after(minutes=5))
    look(after(hours=1))
    assert (states(), len(receiver.got)) == ([DeliveryState.DEAD, DeliveryState.DROPPED], 1)


def test_a_worker_that_died_before_it_sent_is_replaced_after_its_lease(receiver: Receiver) -> None:
    fire(at=NOW)
    (made,) = bundle(after(seconds=30))
    assert Message.objects.claim(made.pk, after(seconds=30))
    look(after(seconds=60))
    assert receiver.got == []
    look(after(seconds=151))
    assert (len(receiver.got), message().state) == (1, MessageState.SENT)


def test_a_worker_that_died_after_it_sent_repeats_under_the_same_id_and_then_tells_the_end(receiver: Receiver) -> None:
    incident = fire(at=NOW)
    (made,) = bundle(after(seconds=30))
    claimed = certain(Message.objects.claim(made.pk, after(seconds=30)))
    transmit(claimed.channel, compose(claimed, after(seconds=30)), datetime.now(UTC))
    resolve(incident, at=after(seconds=40))
    look(after(minutes=3))
    look(after(minutes=9))
    assert [b"over after" in got.body for got in receiver.got] == [False, False, True]
    assert len(ids(receiver)) == 2


def test_a_message_is_claimed_by_one_worker_only() -> None:
    channel()
    fire(at=NOW)
    (made,) = bundle(after(seconds=30))
    claims = [Message.objects.claim(made.pk, after(seconds=30)) for _ in range(3)]
    assert [claim is not None for claim in claims] == [True, False, False]


def test_one_worker_at_a_time_sends_in_a_channel(receiver: Receiver) -> None:
    fire(at=NOW)
    bundle(after(seconds=30))
    pk = Channel.objects.get().pk
    assert Channel.objects.take(pk, after(seconds=30))
    take_turn(pk, lambda: after(seconds=31))
    assert receiver.got == []
    take_turn(pk, lambda: after(minutes=4))
    assert len(receiver.got) == 1


def test_a_clock_that_was_ahead_once_keeps_no_message_from_being_sent(receiver: Receiver) -> None:
    fire(at=NOW)
    bundle(after(seconds=30))
    ahead = after(days=900)
    Message.objects.update(next_attempt_at=ahead, claimed_until=ahead, made_at=ahead)
    Channel.objects.update(not_before=ahead, taken_until=ahead)
    look(after(minutes=1))
    assert (len(receiver.got), message().state) == (1, MessageState.SENT)


def test_a_mail_server_that_refuses_gets_the_mail_later(server: MailServer) -> None:
    server.refusal = "451 later"
    fire(at=NOW)
    look(after(seconds=30))
    assert message().problem == "the mail server refused the mail: it answered 451"
    server.refusal = ""
    look(after(seconds=36))
    assert [got["subject"] for got in server.mails] == ["✗ shop:web missing · berlin"]


def test_a_mail_server_that_hangs_keeps_no_other_channel_from_being_told(
    settings: Settings, server: MailServer, receiver: Receiver
) -> None:
    fire(at=NOW)
    with deaf_server() as port:
        settings.EMAIL_PORT = port
        look(after(seconds=30))
    assert len(receiver.got) == 1
    assert sorted(Message.objects.values_list("state", flat=True)) == [MessageState.PENDING, MessageState.SENT]


def test_a_target_that_cannot_be_decrypted_is_said_so(settings: Settings) -> None:
    channel()
    fire(at=NOW)
    settings.SECRET_KEY = "another-" + "y" * 50
    look(after(seconds=30))
    assert "cannot be decrypted by CHANNEL_KEYS" in message().problem
    settings.CHANNEL_KEYS = ["only-for-tests-" + "x" * 50]
    look(after(minutes=1))
    assert message().state == MessageState.SENT


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")
def test_apprise_that_is_not_understood_is_a_failure_that_shows_no_secret() -> None:
    channel("chat", ChannelKind.APPRISE, "nosuchservice://topsecret@example.org/")
    fire(at=NOW)
    look(after(seconds=30))
    assert message().problem == "apprise does not understand the target of this channel"
    assert "topsecret" not in str(Channel.objects.values())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")
def test_apprise_sends_to_a_real_receiver(receiver: Receiver) -> None:
    Channel.objects.all().delete()
    channel("chat", ChannelKind.APPRISE, receiver.url.replace("http://", "json://"))
    fire(at=NOW)
    look(after(seconds=30))
    (got,) = receiver.got
    assert b"shop:web missing" in got.body


def test_an_error_of_ours_in_one_message_is_in_the_way_of_no_other(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(message: Message, at: datetime) -> Letter:
        if message.host == "berlin":
            raise ValueError("topsecret")
        return compose(message, at)

    monkeypatch.setattr("alerts.sending.turns.compose", broken)
    fire("shop:web", at=NOW)
    fire("blog:web", at=NOW, host="rome")
    look(after(seconds=30))
    look(after(seconds=31))
    assert len(receiver.got) == 1
    assert Message.objects.get(host="berlin").problem == "an error of ours: ValueError"


def test_who_took_too_long_to_send_notes_nothing_over_who_sends_now(receiver: Receiver) -> None:
    fire(at=NOW)
    (made,) = bundle(after(seconds=30))
    slow = certain(Message.objects.claim(made.pk, after(seconds=30)))
    certain(Message.objects.claim(made.pk, after(minutes=3)))
    assert send(slow, lambda: after(minutes=3))
    assert message().state == MessageState.PENDING


def test_a_receiver_that_answers_500_for_an_hour_is_told_all_in_order(receiver: Receiver) -> None:
    for _ in range(100):
        receiver.answer(500)
    first = fire("shop:web", at=NOW)
    look(after(seconds=30))
    fire("shop:db", at=after(minutes=10))
    resolve(first, at=after(minutes=20))
    for minutes in range(1, 60):
        look(after(minutes=minutes))
    assert (len(ids(receiver)), message().state) == (1, MessageState.PENDING)
    receiver.answers.clear()
    look(after(hours=3))
    look(after(hours=3, minutes=6))
    before, now = (json.loads(got.body)["data"] for got in receiver.got[-2:])
    assert (before["begun"]["count"], before["over"]["count"]) == (1, 0)
    assert (now["begun"]["count"], now["over"]["count"]) == (1, 1)
    assert set(states()) == {DeliveryState.SENT}


def test_no_log_holds_a_target_or_what_a_receiver_says(
    receiver: Receiver, caplog: pytest.LogCaptureFixture, settings: Settings
) -> None:
    channel("secret", ChannelKind.WEBHOOK, f"{receiver.url}/topsecret?token=topsecret")
    channel("mail", ChannelKind.EMAIL, "topsecret@example.org")
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    receiver.answer(500, x_said="topsecret")
    fire(at=NOW)
    with caplog.at_level("DEBUG"):
        look(after(seconds=30))
        look(after(seconds=40))
    assert "channel secret" in caplog.text
    assert "topsecret" not in caplog.text
