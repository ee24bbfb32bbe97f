"""Where channels may send to, and how much of a target is shown."""

import pytest

from alerts.core.addresses import refusal_of
from alerts.core.targets import (
    apprise_problem,
    mail_problem,
    shown_apprise,
    shown_webhook,
    webhook_problem,
)

EVERYWHERE = ["0.0.0.0/0", "::/0"]


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822"])
def test_public_addresses_may_be_sent_to(address: str) -> None:
    assert refusal_of(address, []) == ""


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "100.100.100.200"),
        *("168.63.129.16", "192.0.0.192", "0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255"),
        *("::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1"),
    ],
)
def test_metadata_link_local_and_reserved_addresses_are_never_sent_to(address: str) -> None:
    assert "never sent" in refusal_of(address, EVERYWHERE)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.7", "172.16.0.1", "192.168.1.1", "100.64.0.1", "::1", "fd12::1", "::ffff:10.0.0.7"]
)
def test_private_addresses_are_sent_to_only_in_networks_that_are_named(address: str) -> None:
    assert "WEBHOOK_NETWORKS" in refusal_of(address, [])
    assert refusal_of(address, EVERYWHERE) == ""


def test_a_network_that_is_named_lets_in_no_other() -> None:
    assert refusal_of("10.1.0.1", ["10.0.0.0/16"])


@pytest.mark.parametrize(
    "target", ["https://hooks.example.org/a?b=c", "http://[2001:db8::1]:8080/", "https://hooks.example.org"]
)
def test_a_webhook_has_a_web_address(target: str) -> None:
    assert webhook_problem(target) == ""


@pytest.mark.parametrize(
    "target",
    [
        *("", "hooks.example.org", "ftp://hooks.example.org/", "https://", "https://hooks.example.org:99999/"),
        *("https://user:pw@hooks.example.org/", "https://hooks.example.org/#a", "https://hooks.example.org/a b"),
        *("https://hooks.example.org/\r\nx: y", "https://höks.example.org/", "https://[::1/", "https://a:0/"),
        "https://hooks.example.org/" + "a" * 2_000,
    ],
)
def test_a_webhook_has_no_other_address(target: str) -> None:
    assert webhook_problem(target)


@pytest.mark.parametrize("target", ["ops@example.org", "o.p+s@mail.example.org", "root@localhost"])
def test_a_mail_channel_has_one_address(target: str) -> None:
    assert mail_problem(target) == ""


@pytest.mark.parametrize(
    "target", ["", "ops", "a@b, c@d", "Ops <ops@example.org>", "ops@example.org\nBcc: x@y", "a@-b"]
)
def test_a_mail_channel_has_no_other_address(target: str) -> None:
    assert mail_problem(target)


def test_an_address_for_apprise_has_a_scheme() -> None:
    assert apprise_problem("ntfys://token@ntfy.example.org/topic") == ""
    assert all(apprise_problem(target) for target in ("", "topic", "ntfy://a b", "ntfy://" + "a" * 2_000))


def test_what_may_be_secret_in_a_target_is_not_shown() -> None:
    assert shown_webhook("https://hooks.example.org:8443/secret?token=x") == "https://hooks.example.org:8443/…"
    assert shown_apprise("Slack://tokenA/tokenB/tokenC") == "slack://…"
