"""I/O: hands a letter to the channel it is for, in the channel's own way."""

from datetime import datetime

from django.conf import settings

from alerts.core.letter import Letter
from alerts.core.payload import body_of
from alerts.core.signing import headers
from alerts.models import Channel, ChannelKind
from alerts.sending import apprise, mail, webhook
from alerts.sending.rendering import rendered


def transmit(channel: Channel, letter: Letter, at: datetime) -> None:
    """Send a letter. Raises NotSent, or CannotOpen if nobody knows any more where to."""
    kind, target = ChannelKind(channel.kind), channel.target
    if kind is ChannelKind.EMAIL:
        mail.send(rendered(letter), target, letter.id)
    elif kind is ChannelKind.APPRISE:
        apprise.send(rendered(letter), target)
    else:
        body = body_of(letter)
        signed = {"content-type": "application/json", **headers(letter.id, at, body, channel.signing_secrets)}
        webhook.post(target, body, signed, settings.WEBHOOK_NETWORKS)
