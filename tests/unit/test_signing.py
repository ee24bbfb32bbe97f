"""Webhooks are signed so that another library, which follows the same standard, verifies them."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from alerts.core.signing import headers, secret_of

BODY = json.dumps({"type": "tinyforge.test", "text": "Grüße"}).encode()
OLD, NEW, OTHER = (secret_of(bytes([number]) * 32) for number in (1, 2, 3))


def now() -> datetime:
    return datetime.now(UTC)


def test_a_receiver_with_the_secret_verifies_the_message() -> None:
    assert Webhook(NEW).verify(BODY, headers("msg-1", now(), BODY, [NEW])) == json.loads(BODY)


def test_while_a_secret_is_changed_receivers_with_either_verify_the_message() -> None:
    made = headers("msg-1", now(), BODY, [NEW, OLD])
    assert Webhook(OLD).verify(BODY, made) == Webhook(NEW).verify(BODY, made)


@pytest.mark.parametrize(
    ("secret", "body", "at"),
    [(OTHER, BODY, now()), (NEW, BODY + b" ", now()), (NEW, BODY, now() - timedelta(minutes=6))],
    ids=["another secret", "another body", "an old time"],
)
def test_what_is_not_ours_is_not_verified(secret: str, body: bytes, at: datetime) -> None:
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, headers("msg-1", at, BODY, [NEW]))


def test_the_id_of_a_message_is_signed_with_it() -> None:
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(BODY, headers("msg-1", now(), BODY, [NEW]) | {"webhook-id": "msg-2"})
