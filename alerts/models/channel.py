"""Channels, by which people are told, and the routes that lead to them."""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from alerts.core.conditions import CONDITION_WORDS, Condition, Severity
from alerts.core.retries import LONGEST_RETRY_AFTER
from alerts.core.routing import Rule
from alerts.core.signing import SECRET_BYTES, secret_of
from alerts.core.targets import apprise_problem, mail_problem, shown_apprise, shown_webhook, webhook_problem
from alerts.sealing import opened, seal

TURN = timedelta(minutes=3)
"""How long one worker has a channel for itself. A turn that takes longer has died."""
GIVEN_UP_AFTER = timedelta(days=1)
WEBHOOKS_GIVEN_UP_AFTER = timedelta(days=3)


class ChannelKind(models.TextChoices):
    """How a channel sends."""

    EMAIL = "email", "e-mail"
    WEBHOOK = "webhook", "webhook"
    APPRISE = "apprise", "apprise"


_PROBLEM_OF = {
    ChannelKind.EMAIL: mail_problem,
    ChannelKind.WEBHOOK: webhook_problem,
    ChannelKind.APPRISE: apprise_problem,
}
_SHOWN: dict[ChannelKind, Callable[[str], str]] = {
    ChannelKind.EMAIL: str,
    ChannelKind.WEBHOOK: shown_webhook,
    ChannelKind.APPRISE: shown_apprise,
}


class ChannelQuerySet(models.QuerySet["Channel"]):
    """The questions people ask of channels."""

    def enabled(self) -> "ChannelQuerySet":
        """Channels that are told anything."""
        return self.filter(is_enabled=True)

    def free(self, at: datetime) -> "ChannelQuerySet":
        """Enabled channels in which nobody sends now, and that have not asked us to wait longer."""
        nobody_sends = Q(taken_until=None) | Q(taken_until__lte=at) | Q(taken_until__gt=at + TURN)
        may_be_asked = Q(not_before=None) | Q(not_before__lte=at) | Q(not_before__gt=at + LONGEST_RETRY_AFTER)
        return self.enabled().filter(nobody_sends, may_be_asked)

    def take(self, pk: int, at: datetime) -> bool:
        """Take a turn at sending in a channel; return whether it was free."""
        return bool(self.free(at).filter(pk=pk).update(taken_until=at + TURN))


class Channel(models.Model):
    """A way by which people are told. Its target is kept encrypted, and only `shown` of it is ever shown."""

    name = models.SlugField(max_length=64, unique=True)
    kind = models.CharField(max_length=8, choices=ChannelKind)
    shown = models.CharField("target", max_length=400, editable=False, help_text="As much as is not secret.")
    sealed = models.TextField(editable=False)
    is_enabled = models.BooleanField("enabled", default=True)
    problem = models.CharField(max_length=500, blank=True, default="", editable=False, help_text="Why it failed last.")
    sent_at = models.DateTimeField("last sent", null=True, default=None, editable=False)
    not_before = models.DateTimeField(null=True, default=None, editable=False)
    taken_until = models.DateTimeField(null=True, default=None, editable=False)

    objects = ChannelQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def given_up_after(self) -> timedelta:
        """How old a message becomes before it is given up."""
        return WEBHOOKS_GIVEN_UP_AFTER if self.kind == ChannelKind.WEBHOOK else GIVEN_UP_AFTER

    @property
    def target(self) -> str:
        """Where it sends to: a secret. Raises CannotOpen."""
        return opened(self.sealed)["target"]

    @property
    def signing_secrets(self) -> list[str]:
        """The secrets that sign its webhooks: the present one, and the one before it. Raises CannotOpen."""
        kept = opened(self.sealed)
        return [kept[name] for name in ("secret", "secret_before") if name in kept]

    def set_target(self, target: str) -> str:
        """Set where it sends to; return a new webhook's secret, which can be shown only now.

        Raises ValidationError. A webhook whose target changes keeps its secret.
        """
        kind = ChannelKind(self.kind)
        if problem := _PROBLEM_OF[kind](target):
            raise ValidationError(problem)
        kept = opened(self.sealed) if self.sealed else {}
        is_new = kind is ChannelKind.WEBHOOK and "secret" not in kept
        secret = secret_of(secrets.token_bytes(SECRET_BYTES)) if is_new else ""
        self.sealed = seal({**kept, "target": target, **({"secret": secret} if secret else {})})
        self.shown = _SHOWN[kind](target)
        return secret

    def renew_secret(self) -> str:
        """Let webhooks be signed by a new secret as well; return it. The one before signs until the next renewal."""
        kept = opened(self.sealed)
        secret = secret_of(secrets.token_bytes(SECRET_BYTES))
        self.sealed = seal({**kept, "secret": secret, "secret_before": kept["secret"]})
        return secret


class Route(models.Model):
    """Which incidents are told to which channels. What is empty fits everything."""

    severity = models.CharField(
        max_length=8, choices=[(each.value, each.value) for each in Severity], blank=True, default=""
    )
    condition = models.CharField(
        max_length=16, choices=[(each.value, CONDITION_WORDS[each]) for each in Condition], blank=True, default=""
    )
    host = models.CharField(max_length=128, blank=True, default="", help_text="The name of one host.")
    workload_id = models.CharField("workload", max_length=128, blank=True, default="", help_text="Its id.")
    workload_kind = models.CharField(max_length=16, blank=True, default="", help_text="Such as project, site or stack.")
    channels = models.ManyToManyField(Channel, related_name="routes")

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        named = (self.severity, self.condition, self.host, self.workload_id, self.workload_kind)
        return " · ".join(part for part in named if part) or "everything"

    def rule(self) -> Rule:
        """Return the route as what decides reads it."""
        return Rule(
            channels=frozenset(channel.pk for channel in self.channels.all()),
            severity=self.severity,
            condition=self.condition,
            host=self.host,
            workload=self.workload_id,
            kind=self.workload_kind,
        )
