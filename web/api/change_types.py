"""What the API serves of the feed."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from web.api.alert_types import Incident
from web.api.types import Container, Deployment, Moment, Page

ChangeKind = Literal["container", "host", "deployment", "incident"]


class Change(Struct):
    """An entry of the feed: something that readers see has changed."""

    cursor: Annotated[str, Meta(description="The place in the feed after this change.")]
    kind: Annotated[ChangeKind, Meta(description="What has changed. Leave out what you do not know.")]
    at: Annotated[Moment, Meta(description="When it was written, by the clock of who wrote it: do not sort by it.")]
    host: str
    row: Annotated[str, Meta(description="The container's row; empty if it is not about one.")]
    workload: Annotated[str, Meta(description="The workload, of which the row is or was; empty for a host.")]
    from_state: Annotated[str | None, Meta(description="null: there was no row, or a placeholder.")]
    to_state: Annotated[
        str, Meta(description="The same as `from_state` if something else has changed; `gone`: no row.")
    ]
    from_health: str
    to_health: str
    container_id: str
    cause: Annotated[str, Meta(description="Why, for people.")]
    trigger: Annotated[str, Meta(description="What made the index look.")]
    exit_code: int | None
    oom_killed: bool | None
    restarts: Annotated[int, Meta(description="By how much the restart count has grown.")]
    container: Annotated[Container | None, Meta(description="The row as it is now; null: there is none.")]
    deployment: Annotated[Deployment | None, Meta(description="The deployment as it is now, if it is about one.")]
    incident: Annotated[
        Incident | None, Meta(description="The incident as it is now, if it is about one; null: it was dropped.")
    ]


class ChangePage(Page[Change]):
    """A part of the feed, in the order of commits. `cursor` is the place after the last change that is told."""


class Bookmark(Struct):
    """Nothing has changed: the place in the feed that a stream has come to."""

    cursor: str
    as_of: Moment
