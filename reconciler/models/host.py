"""Hosts: where their Engines are, how their passes went, and which of their rows are held back."""

import os.path
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar, Self

import msgspec
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Case, F, Q, When
from django.utils import timezone

from reconciler.core.engine_url import MAX_URL_CHARS, TLS_SCHEMES, engine_url_problem, scheme_of, shown_url
from reconciler.core.row_ids import MAX_HOST_CHARS
from reconciler.core.safeguard import Held

MAX_ENGINE_ID_CHARS = 255
MOST_SKIPS_KEPT = 50
"""A host keeps at most so many of the containers that its last pass left alone."""
WATCHER_SILENT_AFTER = timedelta(seconds=30)
"""A watcher that has not written for this long is taken for dead."""


def validate_engine_url(url: str) -> None:
    """Refuse a URL that is not accepted for an Engine; the message shows no password."""
    if problem := engine_url_problem(url):
        raise ValidationError(f"{shown_url(url)!r} is not usable: {problem}", code="engine_url")


def latest_believed(at: datetime) -> datetime:
    """Return the latest moment that a right clock can have noted by now. A later one comes from a wrong clock."""
    return at + timedelta(seconds=settings.RECONCILE_INTERVAL)


def stale_after() -> timedelta:
    """Return how long after its last success a host is stale."""
    return timedelta(seconds=3 * settings.RECONCILE_INTERVAL)


def succeeded_lately(last_success_at: datetime | None, at: datetime) -> bool:
    """Tell whether a host's last success is so recent that the host is not stale."""
    return last_success_at is not None and at - stale_after() <= last_success_at <= latest_believed(at)


class HostQuerySet(models.QuerySet["Host"]):
    """The questions people ask of hosts."""

    def due(self, at: datetime) -> Self:
        """Enabled hosts that a tick looks at. Hosts that fail are left out until their next try.

        If a wrong clock noted the next try, the host is due.
        """
        latest = at + timedelta(seconds=settings.LONGEST_BACKOFF)
        is_wrong = Q(retry_at__gt=latest) | Q(last_error_at__gt=latest_believed(at))
        return self.filter(Q(retry_at=None) | Q(retry_at__lte=at) | is_wrong, enabled=True)

    def longest_waiting_first(self, at: datetime) -> Self:
        """Order hosts by their turn: the one that was looked at longest ago comes first.

        A host that fails may hang, so it comes after all others and does not delay them. But if it has been
        due for longer than any pause lasts, it takes its turn as if it did not fail (I15).
        """
        overdue = at - timedelta(seconds=settings.LONGEST_BACKOFF)
        fails = Q(failures__gt=0, retry_at__gt=overdue) & ~Q(last_error_at__gt=latest_believed(at))
        looked_at = Case(When(last_attempt_at__lte=latest_believed(at), then=F("last_attempt_at")))
        return self.order_by(Case(When(fails, then=1), default=0), looked_at.asc(nulls_first=True), "name")


def _may_hold_tls_files(name: str) -> bool:
    """Tell whether a path lies below TLS_ROOT as it is written. Links are followed when the file is read."""
    return settings.TLS_ROOT is None or Path(os.path.abspath(name)).is_relative_to(settings.TLS_ROOT)  # noqa: PTH100


def _path_field(what: str) -> "models.CharField[str, str]":
    return models.CharField(what, max_length=512, blank=True, default="")


class Host(models.Model):
    """A machine with an Engine. Its row also makes and checks the fence tokens of passes (I6).

    `failures` counts the passes that have failed since the last success; `retry_at` is when a tick tries
    again. `held` is what the safeguard holds back, and `swept` what has just gone missing, as
    `reconciler.core.safeguard` remembers them; `held_since` is the earliest moment in `held`.
    """

    name = models.SlugField(primary_key=True, max_length=MAX_HOST_CHARS)
    url = models.CharField(
        "URL",
        max_length=MAX_URL_CHARS,
        blank=True,
        default="",
        validators=[validate_engine_url],
        help_text="unix:///path, tcp://name:port or ssh://user@name; empty: the environment's DOCKER_HOST",
    )
    tls_ca = _path_field("TLS CA")
    tls_cert = _path_field("TLS client certificate")
    tls_key = _path_field("TLS client key")
    enabled = models.BooleanField(default=True, help_text="Off: nobody looks at it but `manage.py reconcile --host`.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    fence_minted = models.PositiveBigIntegerField(default=0, editable=False)
    fence_applied = models.PositiveBigIntegerField(default=0, editable=False)
    fence_failed = models.PositiveBigIntegerField(default=0, editable=False)
    last_attempt_at = models.DateTimeField(null=True, editable=False)
    last_success_at = models.DateTimeField(null=True, editable=False)
    last_error = models.TextField(blank=True, default="", editable=False)
    last_error_at = models.DateTimeField(null=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)
    retry_at = models.DateTimeField(null=True, editable=False, help_text="Failing: no tick looks at it before.")
    engine_id = models.CharField(  # noqa: DJ001 - null: it has not said yet; empty: it has no name
        "Engine id",
        max_length=MAX_ENGINE_ID_CHARS,
        null=True,
        blank=True,
        default=None,
        editable=False,
        help_text="What its Engine calls itself.",
    )
    held_since = models.DateTimeField(null=True, editable=False)
    held_reason = models.TextField(blank=True, default="", editable=False)
    held = models.JSONField(blank=True, default=list, editable=False)
    swept = models.JSONField(blank=True, default=list, editable=False)
    skips = models.JSONField(blank=True, default=list, editable=False, help_text="What its last pass left alone.")
    sightings_at = models.DateTimeField(
        null=True, editable=False, help_text="When last_seen_at of unchanged rows was last refreshed."
    )

    condition_told = models.CharField(
        max_length=8, blank=True, default="", editable=False, help_text="What the feed has told last of its condition."
    )

    watcher = models.CharField(
        max_length=128, blank=True, default="", editable=False, help_text="Which watcher follows its events."
    )
    watching_since = models.DateTimeField(null=True, editable=False, help_text="Empty: its events are not followed.")
    watcher_alive_at = models.DateTimeField(null=True, editable=False)
    events_seen = models.PositiveBigIntegerField(default=0, editable=False)
    passes_asked = models.PositiveBigIntegerField(default=0, editable=False)
    drift_found = models.PositiveBigIntegerField(
        default=0, editable=False, help_text="Changes a tick found that no event had announced."
    )
    drift_found_at = models.DateTimeField(null=True, editable=False)

    objects = HostQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name"]
        permissions: ClassVar = [("ask_for_pass", "Can ask for a pass")]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(fence_applied__lte=F("fence_minted")), name="host_fence_in_order"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse TLS files that do not fit together, or that nothing would use."""
        files = (self.tls_ca, self.tls_cert, self.tls_key)
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ValidationError("A client certificate and its key go together: name both, or neither.")
        if any(files) and not self.tls_ca:
            raise ValidationError("A client certificate needs the CA that the Engine is verified by: name its file.")
        if any(files) and scheme_of(self.url) not in TLS_SCHEMES:
            raise ValidationError("TLS files are for a URL that begins with tcp:// or https://.")
        if outside := [name for name in files if name and not _may_hold_tls_files(name)]:
            raise ValidationError(f"TLS files lie below {settings.TLS_ROOT}, which TLS_ROOT names: not {outside[0]!r}.")

    @property
    def shown_url(self) -> str:
        """Return the URL as everybody may see it; empty if it is the environment's DOCKER_HOST."""
        return shown_url(self.url) if self.url else ""

    @property
    def held_count(self) -> int:
        """How many containers are held back; none if somebody else has written what no pass writes."""
        try:
            return sum(len(held.containers) for held in msgspec.convert(self.held, tuple[Held, ...]))
        except msgspec.ValidationError:
            return 0

    @property
    def left_alone(self) -> list[dict[str, str]]:
        """What is kept of the containers that the last pass left alone; none if somebody else has written it."""
        try:
            return msgspec.convert(self.skips, list[dict[str, str]])
        except msgspec.ValidationError:
            return []

    def is_watched(self, at: datetime) -> bool:
        """Tell whether a living watcher follows the host's events."""
        alive = self.watcher_alive_at
        if self.watching_since is None or alive is None:
            return False
        return at - WATCHER_SILENT_AFTER < alive <= latest_believed(at)

    def can_be_asked(self, at: datetime) -> bool:
        """Tell whether the states of its rows are known: its last pass did not fail, and one has succeeded lately."""
        return not self.last_error and not self.is_stale(at)

    def is_stale(self, at: datetime) -> bool:
        """Tell whether no pass has succeeded within three intervals."""
        return not succeeded_lately(self.last_success_at, at)
