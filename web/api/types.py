"""What the API serves: the types that answers are made of, and that the OpenAPI document is made from.

Moments are texts, because a database writes them as fast as it reads them, and Python does not.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

from msgspec import Meta, Struct

from reconciler.models import Condition
from reconciler.models.deployment import LONGEST_DEPLOYMENT

MOST_ITEMS = 1_000
LONGEST_DEPLOYMENT_SECONDS = int(LONGEST_DEPLOYMENT.total_seconds())
CONTAINER_ID = "^[0-9a-f]{64}$"

Item = TypeVar("Item")
Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Counts = Annotated[dict[str, int], Meta(description="How many containers are in which state.")]


def moment(at: datetime) -> str:
    """Return a moment as the API writes it."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


class Answer(Struct, kw_only=True):
    """What every answer has: the moment that it tells of, and the place in the feed from where to follow it."""

    as_of: Annotated[Moment, Meta(description="The moment that this answer tells of.")]
    cursor: Annotated[str, Meta(description="This answer and the changes after this cursor are together the truth.")]


class Page(Answer, Generic[Item]):
    """A part of a list, in the order of ids."""

    items: Annotated[Sequence[Item], Meta(max_length=MOST_ITEMS)]
    next: Annotated[str | None, Meta(description="Ask for the next page with `after` set to this; null: none is left.")]


class One(Answer, Generic[Item]):
    """One thing."""

    item: Item


class Uptime(Struct):
    """For how long something was up and down within a span, and for how long nothing was known."""

    up_seconds: Annotated[float, Meta(description="A workload is up while at least one of its containers runs.")]
    down_seconds: float
    unknown_seconds: Annotated[
        float,
        Meta(description="Its host could not be seen, or nothing was deployed: before the first sight, for example."),
    ]
    availability: Annotated[float | None, Meta(description="up ÷ (up + down); null: nothing is known.")]
    coverage: Annotated[float | None, Meta(description="Which share of the span is known.")]


class Uptimes(Struct):
    """Uptime over the last day, week and month."""

    until: Annotated[Moment, Meta(description="When these spans end: at the last full minute.")]
    last_24_hours: Uptime
    last_7_days: Uptime
    last_30_days: Uptime


class Container(Struct, gc=False):
    """A row of the index: which container serves a workload, where, and in what state."""

    id: Annotated[str, Meta(description="The row's id, which outlives its containers.")]
    host: str
    workload: Annotated[str, Meta(description="The workload's id.")]
    workload_kind: str
    orphan: Annotated[bool, Meta(description="The workload does not exist any more.")]
    role: str
    container_id: Annotated[str, Meta(description="Empty: a placeholder, or moved.")]
    state: Annotated[str, Meta(description="The last state that is known.", examples=["running", "pending"])]
    effective_state: Annotated[str, Meta(description="`unknown` while the host cannot be asked, else the state.")]
    unknown_since: Annotated[
        Moment | None, Meta(description="The host's last success, if the state is unknown; null: it never had one.")
    ]
    health: Annotated[str, Meta(description="What its health check says; empty: it has none.")]
    exit_code: Annotated[int | None, Meta(description="Of its last end; null: it is up, or it is not known.")]
    oom_killed: bool | None
    started_at: Annotated[Moment | None, Meta(description="By its Engine's clock.")]
    finished_at: Annotated[Moment | None, Meta(description="By its Engine's clock.")]
    image_ref: str
    image_tag: str
    port: Annotated[int, Meta(description="0: none is known.")]
    subdomain: str
    proxy_route_id: str
    npm_proxy_id: int
    last_seen_at: Annotated[Moment | None, Meta(description="Before the last listing that held its container.")]
    created_at: Moment
    updated_at: Moment
    restart_count: Annotated[int | None, Meta(description="By its restart policy, as known last.")]
    restarts_lately: Annotated[int, Meta(description="How much the restart count has grown lately.")]
    restart_loop: bool


class ContainerPage(Page[Container]):
    """A part of the list of containers."""


class ContainerAnswer(One[Container]):
    """One container, and its uptime."""

    uptime: Uptimes


class Workload(Struct):
    """Something that a person deployed: a project, a static site or a stack."""

    id: str
    kind: str
    ref_id: Annotated[str, Meta(description="Id of the project, site or stack that it stands for.")]
    name: str
    containers: Annotated[Counts, Meta(description="Its containers, by their effective state.")]


class WorkloadPage(Page[Workload]):
    """A part of the list of workloads."""


class WorkloadAnswer(One[Workload]):
    """One workload with its containers, and its uptime."""

    uptime: Uptimes
    containers: Annotated[Sequence[Container], Meta(max_length=MOST_ITEMS)]
    next: Annotated[str | None, Meta(description="If there are more: `after` for the list of its containers.")]


class Host(Struct):
    """A machine with an Engine, and how it is doing. What its errors say, operators see in the admin."""

    name: str
    enabled: bool
    condition: Condition
    watched: Annotated[bool, Meta(description="Its events are followed.")]
    last_success_at: Moment | None
    failures: Annotated[int, Meta(description="Passes that have failed since the last that did not.")]
    retry_at: Annotated[Moment | None, Meta(description="Failing: no tick looks at it before.")]
    held_since: Annotated[Moment | None, Meta(description="Since when a second listing has to agree.")]
    held_rows: int
    containers: Annotated[Counts, Meta(description="Its containers, by their effective state.")]
    last_known: Annotated[Counts, Meta(description="Those that are unknown, by their last known state.")]
    looping: Annotated[int, Meta(description="Containers in a restart loop.")]
    events_seen: int
    passes_asked: int
    drift_found: Annotated[int, Meta(description="Changes that a tick found and no event had announced.")]
    drift_found_at: Moment | None


class HostPage(Page[Host]):
    """A part of the list of hosts."""


class HostAnswer(One[Host]):
    """One host, and its uptime: it is down while passes over it fail, and not known while nobody looks at it."""

    uptime: Uptimes


class Binding(Struct, forbid_unknown_fields=True):
    """Which container a row is to be bound to."""

    container_id: Annotated[
        str, Meta(pattern=CONTAINER_ID, description="The whole id, as the Engine gave it.", examples=["4f5a" * 16])
    ]
    expected_container_id: Annotated[
        str, Meta(max_length=64, description="What the row is bound to so far; empty: a placeholder.")
    ] = ""


class Failed(Struct, forbid_unknown_fields=True):
    """A deploy has failed."""

    expected_container_id: Annotated[
        str, Meta(max_length=64, description="What the row is bound to; empty: a placeholder.")
    ] = ""
    cause: Annotated[str, Meta(min_length=1, max_length=255, description="Why, for people.")] = "the deploy failed"


class Lease(Struct, forbid_unknown_fields=True):
    """For how long something will be deployed, if nobody gives it back earlier."""

    seconds: Annotated[int, Meta(ge=1, le=LONGEST_DEPLOYMENT_SECONDS)] = 600


class Deleted(Struct):
    """A row was deleted; it comes back if its container is still there."""

    row: str
    as_of: Moment


class Asked(Struct):
    """A pass was asked for; it begins later."""

    host: str
    as_of: Moment


class Deployment(Struct):
    """A lease: a workload, or a single row, is being deployed. It ends by itself, or when it is given back."""

    id: int
    workload: Annotated[str, Meta(description="The workload's id; empty: a single row is deployed.")]
    row: Annotated[str, Meta(description="The row's id; empty: a whole workload is deployed.")]
    began_at: Moment
    ends_at: Annotated[Moment, Meta(description="When it ends by itself.")]
    ended_at: Annotated[Moment | None, Meta(description="When it has ended; null: it has not, or nobody has noticed.")]
    by: Annotated[str, Meta(description="Who has said so last.")]


class DeploymentPage(Page[Deployment]):
    """A part of the list of deployments that are under way."""


class DeploymentAnswer(One[Deployment]):
    """One deployment."""
