"""A row as the pages show it. Pure: reads nothing, and no clock."""

from dataclasses import dataclass
from datetime import datetime

from reconciler.models import State, Trouble
from reconciler.models.trouble import WORST_FIRST


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the index with its worst trouble, and with when and why it changed last.

    `severity` is the place of its trouble in WORST_FIRST. A workload that does not exist has no name: None;
    `orphaned_at` is when a pass first noticed that. `ended_lately` is the exit code with which its container ended
    last, however it is now. `alerts` is what its labels say about alerts.
    """

    id: str
    host_id: str
    workload_id: str
    workload_name: str | None
    role: str
    container_id: str
    state: str
    health: str
    exit_code: int | None
    ended_lately: int | None
    oom_killed: bool | None
    image_ref: str
    restart_count: int | None
    restarts_lately: int
    unknown_since: datetime | None
    severity: int
    created_at: datetime
    changed_at: datetime | None
    cause: str | None
    loop_began_at: datetime | None
    last_seen_at: datetime | None
    alerts: str
    is_deploying: bool
    orphaned_at: datetime | None

    @property
    def trouble(self) -> Trouble | None:
        """Its worst trouble; None if it is as it should be."""
        return WORST_FIRST[self.severity] if self.severity < len(WORST_FIRST) else None

    @property
    def is_unknown(self) -> bool:
        """Tell whether its state is not known now."""
        return self.trouble is Trouble.UNKNOWN

    @property
    def is_placeholder(self) -> bool:
        """Tell whether it is made by a deploy that has started no container yet."""
        return not self.container_id and self.state == State.PENDING
