"""Webhooks and mails on real connections: what arrives, what counts as sent, and what is never connected to."""

import json
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings
from standardwebhooks import Webhook

from alerts.core.payload import body_of
from alerts.core.signing import headers, secret_of
from alerts.sending import mail, webhook
from alerts.sending.errors import NotSent
from alerts.sending.rendering import Mail, rendered
from tests.certificates import Authority
from tests.letters import entries, entry, letter
from tests.receivers import MailServer, Receiver, deaf_server, mail_server, webhook_receiver

SECRET = secret_of(b"0" * 32)
LOOPBACK = ["127.0.0.0/8"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with webhook_receiver() as made:
        yield made


def post(url: str, networks: list[str] | None = LOOPBACK) -> None:
    body = body_of(letter(begun=entries(entry())))
    webhook.post(url, body, headers("msg-1", datetime.now(UTC), body, [SECRET]), networks)


def failure(url: str, networks: list[str] | None = LOOPBACK) -> NotSent:
    with pytest.raises(NotSent) as caught:
        post(url, networks)
    return caught.value


def test_another_library_verifies_a_webhook_that_has_arrived(receiver: Receiver) -> None:
    post(f"{receiver.url}?of=ops")
    (got,) = receiver.got
    assert Webhook(SECRET).verify(got.body, got.headers) == json.loads(got.body)
    assert (got.path, got.headers["webhook-id"]) == ("/hook?of=ops", "msg-1")


@pytest.mark.parametrize(
    ("status", "is_certain", "is_gone"),
    [
        *((302, True, False), (400, True, False), (410, True, True), (429, True, False), (503, True, False)),
        *((500, False, False), (504, False, False)),
    ],
)
def test_an_answer_that_is_no_success_is_a_failure(
    receiver: Receiver, status: int, is_certain: bool, is_gone: bool
) -> None:
    receiver.answer(status)
    failed = failure(receiver.url)
    assert str(status) in str(failed)
    assert (failed.is_certain, failed.is_gone) == (is_certain, is_gone)


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.answer(307, location=receiver.url)
    assert "not followed" in str(failure(receiver.url))
    assert len(receiver.got) == 1


def test_a_receiver_says_when_to_come_again(receiver: Receiver) -> None:
    receiver.answer(429, retry_after="90")
    wait = failure(receiver.url).retry_after
    assert wait
    assert wait.total_seconds() == 90


def test_no_private_address_is_connected_to_unless_its_network_is_named(receiver: Receiver) -> None:
    assert "WEBHOOK_NETWORKS" in str(failure(receiver.url, networks=[]))
    assert receiver.got == []


def test_no_metadata_address_is_ever_connected_to() -> None:
    assert "never sent" in str(failure("http://169.254.169.254/latest/", networks=["0.0.0.0/0"]))


def test_a_name_that_changes_its_address_leads_only_where_it_was_checked(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: a first answer that is allowed, and then one that is not."""
    port = int(receiver.url.split(":")[2].split("/")[0])
    asked: list[str] = []

    def resolve(host: str, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "169.254.169.254"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    post(f"http://rebinding.example:{port}/hook")
    assert (asked, len(receiver.got)) == (["rebinding.example"], 1)
    assert "never sent" in str(failure(f"http://rebinding.example:{port}/hook"))
    assert len(receiver.got) == 1


def test_nobody_listening_is_a_failure_by_which_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    failed = failure(f"http://127.0.0.1:{port}/")
    assert (failed.is_certain, "no connection" in str(failed)) == (True, True)


def test_a_name_that_does_not_exist_is_a_failure() -> None:
    assert "cannot be resolved" in str(failure("http://nowhere.invalid/"))


def test_a_receiver_that_hangs_may_have_got_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "STEP_SECONDS", 0.2)
    with deaf_server() as port:
        failed = failure(f"http://127.0.0.1:{port}/")
    assert (failed.is_certain, "nothing came" in str(failed)) == (False, True)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_receiver_that_answers_byte_by_byte_is_cut_off(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "TOTAL_SECONDS", 0.5)
    # over TLS it is a record that never ends
    said = b"HTTP/1.1 200 OK" if scheme == "http" else b"\x16\x03\x03\x40\x00\x02"
    with deaf_server([bytes([byte]) for byte in said + b"x" * 1_000], pause=0.05) as port:
        failed = failure(f"{scheme}://127.0.0.1:{port}/")
    assert "longer than 0.5 s" in str(failed)


@pytest.fixture
def over_tls(tmp_path: Path) -> Iterator[tuple[Receiver, Path]]:
    """A receiver that speaks TLS, and the file of the authority that vouches for it."""
    authority = Authority(tmp_path / "tls")
    authority.issue("receiver")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls" / "receiver.pem", tmp_path / "tls" / "receiver-key.pem")
    with webhook_receiver(context) as made:
        yield made, authority.ca


def test_a_certificate_is_verified(over_tls: tuple[Receiver, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    receiver, ca = over_tls
    failed = failure(receiver.url)
    assert (failed.is_certain, "not trusted" in str(failed), receiver.got) == (True, True, [])
    monkeypatch.setenv("SSL_CERT_FILE", str(ca))
    post(receiver.url)
    assert len(receiver.got) == 1


# mails


@pytest.fixture
def server(settings: Settings) -> Iterator[MailServer]:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_TIMEOUT = 0.5
    settings.EMAIL_HOST, settings.EMAIL_USE_TLS = "127.0.0.1", False
    settings.DEFAULT_FROM_EMAIL = "Index <index@example.org>"
    with mail_server() as made:
        settings.EMAIL_PORT = made.port
        yield made


def a_mail() -> Mail:
    return rendered(letter(begun=entries(entry())))


def send() -> None:
    mail.send(a_mail(), "ops@example.org", "0192-id")


def mail_failure() -> NotSent:
    with pytest.raises(NotSent) as caught:
        send()
    return caught.value


def test_a_mail_arrives_as_text_and_html_under_its_id(server: MailServer) -> None:
    send()
    (got,) = server.mails
    assert (got["subject"], got["to"], got["from"]) == (
        "✗ shop:web missing · berlin",
        "ops@example.org",
        "Index <index@example.org>",
    )
    assert (got["message-id"], got["auto-submitted"]) == ("<0192-id@example.org>", "auto-generated")
    assert [part.get_content_type() for part in got.iter_parts()] == ["text/plain", "text/html"]  # type: ignore[attr-defined]


def test_a_mail_that_is_refused_was_not_sent(server: MailServer) -> None:
    server.refusal = "554 secret words of the server"
    failed = mail_failure()
    assert (failed.is_certain, str(failed)) == (True, "the mail server refused the mail: it answered 554")


def test_a_mail_server_that_greets_too_late_has_not_got_the_mail(server: MailServer) -> None:
    server.greet_after = 1
    assert mail_failure().is_certain


def test_a_mail_server_that_is_slow_gets_the_mail(server: MailServer) -> None:
    server.greet_after = server.take_after = 0.2
    send()
    assert len(server.mails) == 1


def test_a_mail_server_that_hangs_after_it_got_the_mail_may_have_taken_it(server: MailServer) -> None:
    server.take_after = 1
    failed = mail_failure()
    assert (failed.is_certain, len(server.mails)) == (False, 1)


def test_a_mail_server_that_says_nothing_has_not_got_the_mail(server: MailServer, settings: Settings) -> None:
    with deaf_server() as port:
        settings.EMAIL_PORT = port
        assert "nothing came within 0.5 s" in str(mail_failure())


def test_a_mail_server_that_is_not_there_has_not_got_the_mail(server: MailServer, settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        settings.EMAIL_PORT = closed.getsockname()[1]
    failed = mail_failure()
    assert (failed.is_certain, "Connection refused" in str(failed)) == (True, True)
