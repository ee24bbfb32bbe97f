"""Who logged in and what was asked for, in the admin's log; failed logins in the log of the process."""

import logging
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.dispatch import receiver
from django.http import HttpRequest

from web.address import client_address
from web.models import Token

logger = logging.getLogger(__name__)

MOST_NAME_CHARS = 255
MOST_ENTRIES_OF_TOKENS = 10_000
"""How many entries of the log at most tell what was done with tokens."""
OF_TOKENS = "(tokens)"
"""The user under whom the log keeps what was done with tokens; no person can be given such a name."""


def note(user: AbstractBaseUser, thing: Model, what: str) -> LogEntry:
    """Write into the admin's log that a user did something to a thing."""
    return LogEntry.objects.create(
        user_id=user.pk,
        content_type=ContentType.objects.get_for_model(thing),
        object_id=str(thing.pk),
        object_repr=str(thing)[:200],
        action_flag=CHANGE,
        change_message=what,
    )


def note_of(who: Token | AbstractBaseUser | None, thing: Model, what: str) -> None:
    """Write into the admin's log what was done with a token or by a user.

    The log wants a user, so what is done with tokens stands under one that nobody can log in as.
    """
    if isinstance(who, Token):
        model, nobody = get_user_model(), {"is_active": False, "password": make_password(None)}
        by, _ = model.objects.get_or_create(**{model.USERNAME_FIELD: OF_TOKENS}, defaults=nobody)
        entry = note(by, thing, f"Token {who.name}: {what}")
        # programs may ask every second; what people did stays
        LogEntry.objects.filter(user=by.pk, id__lte=entry.pk - MOST_ENTRIES_OF_TOKENS).delete()
    elif who is not None:
        note(who, thing, what)


@receiver(user_logged_in)
def note_login(request: HttpRequest, user: AbstractBaseUser, **_: Any) -> None:
    """Write a login into the admin's log."""
    note(user, user, f"Logged in from {client_address(request)}.")


def tried_name(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str:
    """Return the name that a login was tried with, as far as a database can hold it; the lockout goes by it."""
    name = (credentials or request.POST).get("username") or ""
    return str(name).replace("\0", "")[:MOST_NAME_CHARS]


def is_judged_elsewhere(request: HttpRequest, credentials: dict[str, Any] | None = None) -> bool:
    """Tell whether a login is a provider's affair, who does his own counting; so no count locks anybody out of it."""
    return request.path == "/oidc/callback/"


@receiver(user_login_failed)
def log_failed_login(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Log a login that failed, with the name that was tried and where from."""
    name, address = credentials.get("username"), client_address(request) if request else "this machine"
    if name is not None:
        name = name[:MOST_NAME_CHARS]
    logger.warning("a login as %a from %s failed", name, address, extra={"action": "login_failed"})
