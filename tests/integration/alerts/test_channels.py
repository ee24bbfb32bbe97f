"""Channels on the command line and in the admin: added, tested, and never shown with their secrets. The heartbeat."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings
from standardwebhooks import Webhook

from alerts.heartbeat import tell_outside
from alerts.models import (
    Channel,
    ChannelKind,
    Condition,
    Delivery,
    Judge,
    Message,
    MessageState,
    Route,
    Severity,
)
from alerts.outbox import trouble
from reconciler.models import Host
from tests.channels import channel, fire, look
from tests.receivers import Receiver, webhook_receiver

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
TARGET = "https://hooks.example.org/topsecret"


def run(*words: str) -> str:
    """Return what the command prints to standard output."""
    out = StringIO()
    call_command("channel", *words, stdout=out, stderr=StringIO())
    return out.getvalue().strip()


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    with webhook_receiver() as made:
        yield made


def test_a_webhook_that_is_added_prints_the_secret_by_which_its_messages_are_verified(receiver: Receiver) -> None:
    secret = run("add", "hook", "webhook", receiver.url)
    assert run("test", "hook") == "channel hook took the test"
    (got,) = receiver.got
    assert Webhook(secret).verify(got.body, got.headers)["type"] == "tinyforge.test"


def test_without_channels_the_list_says_that_nobody_is_told() -> None:
    out = StringIO()
    call_command("channel", "list", stdout=StringIO(), stderr=out)
    assert "nobody is told" in out.getvalue()


def test_a_channel_is_listed_without_its_secrets() -> None:
    secret = run("add", "hook", "webhook", TARGET)
    listed = run("list")
    assert listed == "hook  webhook  https://hooks.example.org/…  on  last sent never"
    assert "topsecret" not in listed
    assert secret not in listed


def test_a_target_can_be_read_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO(f"{TARGET}\n"))
    run("add", "hook", "webhook", "-")
    assert Channel.objects.get().target == TARGET


def test_nothing_in_the_database_shows_a_secret() -> None:
    secret = run("add", "hook", "webhook", TARGET)
    kept = str(Channel.objects.values())
    assert "topsecret" not in kept
    assert secret.removeprefix("whsec_") not in kept


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "a b", "email", "ops@example.org"), "valid “slug”"),
        (("add", "ops", "email", "ops"), "one e-mail address"),
        (("test", "nowhere"), "there is no channel nowhere"),
        (("remove", "nowhere"), "there is no channel nowhere"),
    ],
)
def test_what_cannot_be_done_is_refused(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run(*words)


def test_a_test_that_does_not_arrive_says_why(receiver: Receiver) -> None:
    run("add", "hook", "webhook", receiver.url)
    receiver.answer(404)
    with pytest.raises(CommandError, match="did not arrive: the receiver answered 404"):
        run("test", "hook")
    assert not Message.objects.exists()


def test_a_secret_that_is_renewed_signs_beside_the_one_before(receiver: Receiver) -> None:
    before = run("add", "hook", "webhook", receiver.url)
    now = run("renew", "hook")
    run("test", "hook")
    (got,) = receiver.got
    assert Webhook(before).verify(got.body, got.headers) == Webhook(now).verify(got.body, got.headers)


def test_a_route_tells_a_channel_what_fits_alone() -> None:
    run("add", "ops", "email", "ops@example.org")
    run("route", "ops", "--severity", "page", "--host", "berlin")
    run("route", "ops", "--kind", "site")
    assert "told: page · berlin\n" in run("list")
    fire("shop:db", at=NOW, severity=Severity.NOTIFY, condition=Condition.UNHEALTHY)
    assert not Delivery.objects.exists()
    fire("shop:web", at=NOW)
    assert Delivery.objects.get().channel.name == "ops"


@pytest.mark.parametrize("words", [("nowhere",), ("ops", "--host", "x" * 200), ("ops", "--severity", "high")])
def test_a_route_that_cannot_be_is_refused(words: tuple[str, ...]) -> None:
    run("add", "ops", "email", "ops@example.org")
    with pytest.raises(CommandError):
        run("route", *words)
    assert not Route.objects.exists()


def test_channels_are_turned_off_and_on_and_removed() -> None:
    run("add", "ops", "email", "ops@example.org")
    run("disable", "ops")
    assert not Channel.objects.get().is_enabled
    run("enable", "ops")
    assert Channel.objects.get().is_enabled
    run("remove", "ops")
    assert not Channel.objects.exists()


def test_what_was_given_up_is_sent_again(receiver: Receiver) -> None:
    channel("hook", ChannelKind.WEBHOOK, receiver.url)
    receiver.answer(410)
    fire(at=NOW)
    look(NOW + timedelta(seconds=30))
    run("enable", "hook")
    assert run("resend") == "1 messages will be sent again, 0 are left"


def test_keys_can_be_changed_without_losing_a_channel(settings: Settings) -> None:
    run("add", "ops", "email", "ops@example.org")
    settings.CHANNEL_KEYS = ["new-key-" + "n" * 50, settings.SECRET_KEY]
    run("rekey")
    settings.CHANNEL_KEYS, settings.SECRET_KEY = ["new-key-" + "n" * 50], "another-" + "y" * 50
    assert Channel.objects.get().target == "ops@example.org"
    settings.CHANNEL_KEYS = []
    with pytest.raises(CommandError, match="decrypts channels ops"):
        run("rekey")


# the admin


def add(client: Client, **fields: str) -> str:
    """Add a channel in the admin, and return the page that follows."""
    given = {"name": "hook", "kind": "webhook", "new_target": TARGET, "is_enabled": "on"} | fields
    return client.post("/admin/alerts/channel/add/", given, follow=True).content.decode()


def test_the_admin_shows_the_secret_of_a_new_webhook_once_and_its_target_never(admin_client: Client) -> None:
    page = add(admin_client)
    assert re.findall(r"whsec_[\w+/=]+", page) == [Channel.objects.get().signing_secrets[0]]
    for address in ("/admin/alerts/channel/", f"/admin/alerts/channel/{Channel.objects.get().pk}/change/"):
        page = admin_client.get(address).content.decode()
        assert "https://hooks.example.org/…" in page
        assert "topsecret" not in page
        assert "whsec_" not in page


def test_the_admin_keeps_a_target_that_is_left_empty_and_takes_a_new_one(admin_client: Client) -> None:
    add(admin_client)
    address = f"/admin/alerts/channel/{Channel.objects.get().pk}/change/"
    admin_client.post(address, {"name": "hook", "new_target": "", "is_enabled": "on"})
    assert Channel.objects.get().target == TARGET
    admin_client.post(address, {"name": "hook", "new_target": f"{TARGET}2", "is_enabled": "on"})
    assert Channel.objects.get().target == f"{TARGET}2"


@pytest.mark.parametrize(
    ("target", "said"), [("", "a channel needs a target"), ("nothing", "the target is an address")]
)
def test_the_admin_refuses_a_target_that_cannot_be_used(admin_client: Client, target: str, said: str) -> None:
    assert said in add(admin_client, new_target=target)
    assert not Channel.objects.exists()


def act(client: Client, model: str, action: str, pk: Any) -> str:
    chosen = {"action": action, "_selected_action": [str(pk)]}
    return client.post(f"/admin/alerts/{model}/", chosen, follow=True).content.decode()


def test_the_admin_lets_workers_send_a_test(admin_client: Client) -> None:
    made = channel()
    act(admin_client, "channel", "send_a_test", made.pk)
    look(timezone.now())
    assert [sent.subject for sent in mail.outbox] == ["Test: alerts of the container index arrive here"]


def test_the_admin_sends_no_test_through_a_channel_that_is_off_and_says_so(admin_client: Client) -> None:
    made = channel()
    run("disable", "ops")
    page = act(admin_client, "channel", "send_a_test", made.pk)
    assert "switch them on first: ops" in page
    assert "will be sent" not in page
    assert not Message.objects.exists()


def test_a_channel_that_the_admin_switches_on_waits_for_nothing_that_it_was_asked_before(admin_client: Client) -> None:
    made = channel()
    Channel.objects.update(is_enabled=False, not_before=NOW + timedelta(days=1))
    admin_client.post(f"/admin/alerts/channel/{made.pk}/change/", {"name": "ops", "is_enabled": "on"})
    assert Channel.objects.free(NOW).get() == made


def test_the_advice_for_a_target_that_cannot_be_decrypted_can_be_followed(settings: Settings) -> None:
    channel()
    settings.SECRET_KEY = "another-" + "y" * 50
    with pytest.raises(CommandError, match="remove the channel, and add it anew"):
        run("test", "ops")
    run("remove", "ops")
    run("add", "ops", "email", "ops@example.org")
    assert run("test", "ops") == "channel ops took the test"


def test_the_admin_lets_what_was_given_up_be_sent_again(admin_client: Client) -> None:
    channel()
    fire(at=NOW)
    look(NOW + timedelta(seconds=30))
    Message.objects.update(state=MessageState.DEAD)
    act(admin_client, "message", "send_again", Message.objects.get().pk)
    assert Message.objects.get().state == MessageState.PENDING


def test_the_admin_lets_what_was_given_up_be_forgotten(admin_client: Client) -> None:
    channel()
    fire(at=NOW)
    look(NOW + timedelta(seconds=30))
    Message.objects.update(state=MessageState.DEAD)
    act(admin_client, "message", "forget", Message.objects.get().pk)
    assert trouble(timezone.now(), timezone.now()) == ""


@pytest.mark.parametrize("model", ["channel", "route", "message", "delivery"])
def test_the_admin_shows_all_of_it(admin_client: Client, model: str) -> None:
    channel()
    fire(at=NOW)
    look(NOW + timedelta(seconds=30))
    assert admin_client.get(f"/admin/alerts/{model}/").status_code == 200


# the heartbeat


@pytest.fixture
def heard(receiver: Receiver, settings: Settings, answering: Host) -> Receiver:
    """Who is told that the index works, which it does."""
    settings.HEARTBEAT_URL, settings.WEBHOOK_NETWORKS = f"{receiver.url}/beat", []
    now = timezone.now()
    Host.objects.update(last_attempt_at=now, watching_since=now, watcher_alive_at=now)
    Judge.objects.create(pk=1, judged_at=now, told_at=now)
    return receiver


def test_a_heartbeat_goes_out_while_everything_works(heard: Receiver) -> None:
    assert tell_outside(timezone.now())
    assert [got.path for got in heard.got] == ["/hook/beat"]


def test_no_heartbeat_goes_out_if_no_worker_looks(heard: Receiver) -> None:
    Host.objects.update(last_attempt_at=timezone.now() - timedelta(hours=1))
    assert not tell_outside(timezone.now())
    assert heard.got == []


def test_no_heartbeat_goes_out_if_no_watcher_watches(heard: Receiver) -> None:
    Host.objects.update(watcher_alive_at=timezone.now() - timedelta(minutes=5))
    assert not tell_outside(timezone.now())
    assert heard.got == []


@pytest.mark.parametrize("ago", [timedelta(minutes=2), timedelta(minutes=-2), None])
def test_no_heartbeat_goes_out_if_nobody_judges(heard: Receiver, ago: timedelta | None) -> None:
    Judge.objects.update(judged_at=None if ago is None else timezone.now() - ago)
    assert not tell_outside(timezone.now())
    assert heard.got == []


@pytest.mark.parametrize("ago", [timedelta(minutes=2), timedelta(minutes=-2), None])
def test_no_heartbeat_goes_out_if_nobody_puts_into_messages_what_is_to_be_told(
    heard: Receiver, ago: timedelta | None
) -> None:
    Judge.objects.update(told_at=None if ago is None else timezone.now() - ago)
    assert not tell_outside(timezone.now())
    assert heard.got == []


def test_no_heartbeat_goes_out_unless_somebody_is_named(heard: Receiver, settings: Settings) -> None:
    settings.HEARTBEAT_URL = ""
    assert not tell_outside(timezone.now())
    assert heard.got == []


def test_a_heartbeat_that_is_not_taken_does_no_harm(heard: Receiver) -> None:
    heard.answer(500)
    assert not tell_outside(timezone.now())
    assert tell_outside(timezone.now())
