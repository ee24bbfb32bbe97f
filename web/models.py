"""Tokens, by which programs read the API and deployers write through it."""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models
from django.db.models import Q

MAX_NAME_CHARS = 64
PREFIX_CHARS = 8
SECRET_BYTES = 32
NOTED_EVERY = timedelta(minutes=1)
"""How often the last use of a token is written, at most."""
MAX_TOKEN_CHARS = 200


class Scope(models.TextChoices):
    """What a token is good for; each scope includes those before it."""

    READ = "read", "read"
    DEPLOY = "deploy", "read and deploy"
    ADMIN = "admin", "everything"

    def includes(self, other: "Scope") -> bool:
        """Tell whether this scope is enough where another is asked for."""
        order = list(Scope)
        return order.index(self) >= order.index(other)


class TokenQuerySet(models.QuerySet["Token"]):
    """The questions that are asked of tokens."""

    def issue(self, name: str, scope: Scope, expires_at: datetime | None = None) -> "tuple[Token, str]":
        """Make a token; return it with its text, which is kept nowhere and can be shown only now."""
        token = Token(name=name, scope=scope, expires_at=expires_at)
        text = token.draw_secret()
        token.save(force_insert=True)
        return token, text

    def find(self, text: str, at: datetime) -> "Token | None":
        """Return the token of that text, if there is one and it has not expired.

        The digests are compared in constant time, and one is made and compared also where the prefix is unknown.
        """
        if len(text) > MAX_TOKEN_CHARS or not text.isascii():
            return None
        token = self.filter(prefix=text.removeprefix("tf_")[:PREFIX_CHARS]).first()
        is_the_one = hmac.compare_digest(token.digest if token else _digest(""), _digest(text))
        return token if token and is_the_one and not token.has_expired(at) else None

    def note_use(self, token: "Token", at: datetime) -> None:
        """Note that a token was used, at most once a minute, whoever else notes it too.

        A last use that lies ahead was noted by a wrong clock, and is noted anew.
        """
        if token.last_used_at is None or abs(at - token.last_used_at) >= NOTED_EVERY:
            is_wrong = Q(last_used_at__gte=at + NOTED_EVERY)
            is_due = Q(last_used_at=None) | Q(last_used_at__lte=at - NOTED_EVERY) | is_wrong
            self.filter(is_due, pk=token.pk).update(last_used_at=at)


class Token(models.Model):
    """What a program shows to be let in: kept as a digest, and found by its prefix, which is no secret."""

    name = models.CharField(max_length=MAX_NAME_CHARS, unique=True, help_text="Who uses it.")
    scope = models.CharField(max_length=8, choices=Scope, default=Scope.READ)
    prefix = models.CharField(max_length=PREFIX_CHARS, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True, default=None, help_text="Empty: never.")
    last_used_at = models.DateTimeField(null=True, editable=False, default=None)

    objects = TokenQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return f"{self.name} (tf_{self.prefix}_…)"

    def draw_secret(self) -> str:
        """Draw the token's text and return it; the token keeps a digest of it."""
        self.prefix = secrets.token_hex(PREFIX_CHARS // 2)
        text = f"tf_{self.prefix}_{secrets.token_urlsafe(SECRET_BYTES)}"
        self.digest = _digest(text)
        return text

    def has_expired(self, at: datetime) -> bool:
        """Tell whether the token is of no use any longer."""
        return self.expires_at is not None and at >= self.expires_at

    def allows(self, scope: Scope) -> bool:
        """Tell whether the token is enough where a scope is asked for."""
        return Scope(self.scope).includes(scope)


def _digest(text: str) -> str:
    # the secret is 256 random bits: nothing is gained by a slow digest
    return hashlib.sha256(text.encode()).hexdigest()
