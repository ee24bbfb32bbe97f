"""What the API serves of alerts, and what it takes."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from web.api.types import Moment, One, Page

Condition = Literal[
    "missing",
    "failed",
    "looping",
    "unhealthy",
    "ended",
    "oom",
    "created",
    "placeholder",
    "orphan",
    "host",
    "held",
    "drift",
    "blind",
    "no_worker",
    "no_watcher",
    "no_beat",
    "deliveries",
]
Severity = Literal["page", "notify", "digest"]
Phase = Literal["pending", "firing", "clearing", "resolved"]
Name = Annotated[str, Meta(max_length=128, pattern=r"^[^\x00]*$")]
InTime = Annotated[datetime, Meta(tz=True)]


class Incident(Struct):
    """Something that is or was wrong with a container, with a host, or with the index itself."""

    id: int
    condition: Annotated[Condition, Meta(description="What is wrong.")]
    severity: Severity
    phase: Annotated[Phase, Meta(description="`pending`, `firing`, `clearing` or `resolved`, in this order.")]
    row: Annotated[str, Meta(description="The container's row; empty if it is not about one.")]
    host: Annotated[str, Meta(description="Empty: it is about the index itself.")]
    workload: Annotated[str, Meta(description="The workload's id; empty if it is not about a container.")]
    since: Annotated[Moment, Meta(description="Since when it is so, as the history says.")]
    opened_at: Annotated[Moment, Meta(description="When it was noticed.")]
    fired_at: Annotated[Moment | None, Meta(description="Since when people are told; null: they are not yet.")]
    resolved_at: Annotated[Moment | None, Meta(description="When it was over; null: it is not.")]
    muted: Annotated[bool, Meta(description="A deploy, or another incident that stands for it, keeps it from firing.")]
    flapping: Annotated[bool, Meta(description="It comes and goes.")]
    state_before: str
    state: Annotated[str, Meta(description="The state of the row when it began.")]
    container_id: str
    image_ref: str
    cause: Annotated[str, Meta(description="Why, for people; empty if it is about a host.")]
    exit_code: int | None
    oom_killed: bool | None
    acknowledged_at: Annotated[Moment | None, Meta(description="null: nobody has acknowledged it.")]
    acknowledged_by: Annotated[str, Meta(description="Who looks after it.")]


class IncidentPage(Page[Incident]):
    """A part of the list of incidents."""


class IncidentAnswer(One[Incident]):
    """One incident."""


class NewSilence(Struct, forbid_unknown_fields=True, kw_only=True):
    """Of what nobody is to be told for a while. What is empty fits everything."""

    ends_at: Annotated[InTime, Meta(description="At most 30 days after it begins.", examples=["2026-11-24T22:14:28Z"])]
    begins_at: Annotated[InTime | None, Meta(description="null, or a moment that has passed: now.")] = None
    host: Annotated[Name, Meta(description="The name of a host.")] = ""
    workload: Annotated[Name, Meta(description="The id of a workload.")] = ""
    condition: Condition | Literal[""] = ""
    reason: Annotated[str, Meta(max_length=255, pattern=r"^[^\x00]*$", description="Why, for people.")] = ""


class Silence(Struct):
    """Of what nobody is told until it ends. It mutes the sending and never the judging."""

    id: int
    host: Annotated[str, Meta(description="Empty: every host.")]
    workload: Annotated[str, Meta(description="The workload's id; empty: every workload.")]
    condition: Annotated[str, Meta(description="Empty: every condition.")]
    begins_at: Moment
    ends_at: Moment
    reason: str
    by: Annotated[str, Meta(description="Who has made it.")]


class SilencePage(Page[Silence]):
    """A part of the list of silences."""


class SilenceAnswer(One[Silence]):
    """One silence."""
