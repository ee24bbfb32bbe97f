"""Incidents: what is or was wrong, with its clocks and with what was known when it began."""

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from django.db import models
from django.db.models import Exists, OuterRef, Q, Subquery

from alerts.core.conditions import CONDITION_WORDS, Condition, Phase, Severity, SubjectKind, subject_kind

if TYPE_CHECKING:
    from alerts.models.silence import Silence

MAX_SUBJECT_CHARS = 512


class IncidentQuerySet(models.QuerySet["Incident"]):
    """The questions people ask of incidents."""

    def open(self) -> "IncidentQuerySet":
        """Incidents that are not over, also those that nobody is told of yet."""
        return self.exclude(phase=Phase.RESOLVED)

    def standing(self) -> "IncidentQuerySet":
        """Incidents that people have been told of, or are about to be, and that are not over."""
        return self.filter(phase__in=(Phase.FIRING, Phase.CLEARING))

    def firing(self) -> "IncidentQuerySet":
        """Incidents that people have been told of, or are about to be, and that do not seem to be over."""
        return self.filter(phase=Phase.FIRING)

    def about(self, kind: SubjectKind) -> "IncidentQuerySet":
        """Incidents of rows, of hosts, or of the index itself."""
        return self.filter(condition__in=[each for each in Condition if subject_kind(each) is kind])

    def silenced(self, at: datetime) -> "IncidentQuerySet":
        """Incidents of which nobody is to be told at a moment, because a silence fits them."""
        return self.filter(Exists(_fitting_silences(at).order_by()))

    def with_silence(self, at: datetime) -> "IncidentQuerySet":
        """Annotate `silence`: the id of the silence that mutes it for longest from a moment on; None if none does."""
        return self.annotate(silence=Subquery(_fitting_silences(at).order_by("-ends_at", "id").values("id")[:1]))


def _fitting_silences(at: datetime) -> "models.QuerySet[Silence]":
    """Return the silences that fit the incident of the query around this one, and are active at a moment."""
    from alerts.models.silence import Silence

    fits = Silence.objects.active(at)
    for name in ("host", "workload_id", "condition"):
        fits = fits.filter(Q(**{name: ""}) | Q(**{name: OuterRef(name)}))
    return fits


class Incident(models.Model):
    """Something that is or was wrong with a row, a host or the index itself; unique while it is open.

    `subject` is the id of a row or the name of a host; it is empty if the incident is about the index itself. It
    is a text and no reference, because an incident outlives what it is about. So are `host` and `workload_id`.

    `ordinal` counts the changes of phase, so that each is told once (I18). `since` is when it began, as the
    history says; the other clocks are the judge's: `opened_at` is when it was noticed, `fires_at` when its delay
    is over, `fired_at` when it did fire, `clears_at` when it is over unless it comes back.
    """

    condition = models.CharField(max_length=16, choices=[(each.value, CONDITION_WORDS[each]) for each in Condition])
    severity = models.CharField(max_length=8, choices=[(each.value, each.value) for each in Severity])
    subject = models.CharField(max_length=MAX_SUBJECT_CHARS, blank=True, default="")
    host = models.CharField(max_length=128, blank=True, default="")
    workload_id = models.CharField("workload", max_length=128, blank=True, default="")
    phase = models.CharField(
        max_length=8, choices=[(each.value, each.value) for each in Phase], default=Phase.PENDING.value
    )
    ordinal = models.PositiveIntegerField(default=0)

    since = models.DateTimeField()
    opened_at = models.DateTimeField()
    fires_at = models.DateTimeField()
    fired_at = models.DateTimeField(null=True, default=None)
    clears_at = models.DateTimeField(null=True, default=None)
    resolved_at = models.DateTimeField(null=True, default=None)
    is_muted = models.BooleanField(
        default=False, help_text="A deploy, or an incident that stands for it, keeps it from firing."
    )
    is_flapping = models.BooleanField(default=False, help_text="It comes and goes, and is over after a longer time.")

    state_before = models.CharField(max_length=32, blank=True, default="")
    state = models.CharField(max_length=32, blank=True, default="")
    container_id = models.CharField(max_length=64, blank=True, default="")
    image_ref = models.CharField(max_length=512, blank=True, default="")
    cause = models.TextField(blank=True, default="")
    exit_code = models.IntegerField(null=True, default=None)
    oom_killed = models.BooleanField("OOM-killed", null=True, default=None)

    acknowledged_at = models.DateTimeField(null=True, default=None)
    acknowledged_by = models.CharField(max_length=150, blank=True, default="")

    objects = IncidentQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["phase", "condition"], condition=~Q(phase="resolved"), name="incident_open"),
            models.Index(fields=["condition", "subject", "fired_at"], name="incident_fired"),
            models.Index(fields=["resolved_at"], name="incident_resolved_at"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["condition", "subject"], condition=~Q(phase="resolved"), name="incident_one_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject or 'the index'}: {CONDITION_WORDS[Condition(self.condition)]}"

    @property
    def subject_kind(self) -> SubjectKind:
        """What it is about."""
        return subject_kind(Condition(self.condition))


class Change(NamedTuple):
    """An incident has changed its phase: `incident` is as it is now, `before` what its phase was.

    An incident that has just been opened has no phase before. One that is told again while it stands, because the same
    has happened once more, goes from FIRING to FIRING.
    """

    incident: Incident
    before: Phase | None
    at: datetime
