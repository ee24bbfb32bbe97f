"""I/O: sends through apprise, an extra that speaks to many services (ntfy, Gotify, Slack, Matrix, …).

It takes seconds and much memory when it is first used, so it is imported late and has a queue and a worker of its own.
What it says may hold secrets, and so none of it is logged or kept.
"""

import logging

from alerts.sending.errors import NotSent
from alerts.sending.rendering import Mail


def send(mail: Mail, target: str) -> None:
    """Send a message to an address as apprise has them. Raises NotSent."""
    try:
        import apprise
    except ImportError:
        text = "apprise is not installed where this was to be sent: install requirements-apprise.txt there"
        raise NotSent(text, is_certain=True) from None
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    service = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False))
    if not service.add(target):
        raise NotSent("apprise does not understand the target of this channel", is_certain=True)
    if not service.notify(title=mail.subject, body=mail.text, body_format=apprise.NotifyFormat.TEXT):
        raise NotSent("apprise could not send it, and does not say why", is_certain=False)
