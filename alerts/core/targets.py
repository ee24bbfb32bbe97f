"""Where channels send to: what may be a target, and how much of it may be shown. Pure.

A webhook's address may hold a secret in its path, and an address for apprise is a secret as a whole.
"""

import re
from urllib.parse import urlsplit

LONGEST_TARGET = 2_000
_MAIL = re.compile(r"[^@\s<>,;:\"()\[\]\\]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", re.ASCII)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,30})://[^\s]+", re.ASCII | re.IGNORECASE)


def mail_problem(target: str) -> str:
    """Return what is wrong with the address of an e-mail channel, or nothing."""
    return "" if _MAIL.fullmatch(target) else "the target is one e-mail address, such as ops@example.org"


def webhook_problem(target: str) -> str:
    """Return what is wrong with the address of a webhook, or nothing."""
    said = "the target is an address such as https://hooks.example.org/tinyforge"
    if len(target) > LONGEST_TARGET or not target.isascii() or not target.isprintable() or " " in target:
        return f"{said}, of at most {LONGEST_TARGET} printable ASCII characters"
    try:
        parts = urlsplit(target)
        has_place = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return said
    if parts.scheme not in ("http", "https") or not has_place:
        return said
    if parts.username is not None or parts.fragment:
        return f"{said}, without a user, a password or a #"
    return ""


def apprise_problem(target: str) -> str:
    """Return what is plainly wrong with an address for apprise, or nothing."""
    is_usable = len(target) <= LONGEST_TARGET and target.isprintable() and _SCHEME.fullmatch(target)
    return "" if is_usable else "the target is an address as apprise has them, such as ntfys://ntfy.example.org/topic"


def shown_webhook(target: str) -> str:
    """Return a webhook's address without its path, which may hold a secret."""
    parts = urlsplit(target)
    return f"{parts.scheme}://{parts.netloc}/…"


def shown_apprise(target: str) -> str:
    """Return nothing of an address for apprise but its scheme."""
    return f"{target.partition('://')[0].lower()}://…"
