"""What a row says about its container since the last inspect that was tried.

Pure: imports no framework, reads no clock, does no I/O.
"""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from reconciler.core.observation import Details

MAX_DETAILS_STATE_CHARS = 8


class DetailsState(StrEnum):
    """The state of a row's details."""

    TOLD = "told"
    """The last inspect told them."""
    YOUNG = "young"
    """The last inspect told them so soon after a start or an end that no listing could show another one after it.
    The container is asked once more when it is older."""
    OWED = "owed"
    """No inspect has told them as they are now; a later pass asks again."""
    STUCK = "stuck"
    """The daemon did not answer in time; it is asked again when the container changes or is restarted."""


class LastInspect(Struct, frozen=True, gc=False):
    """The columns of a row that inspects fill; `details_of` is the container that they describe.

    An inspect that fails empties what it would have told about the container's last end. The restart count
    and the start stay as they were last known, because later restarts are counted from them.
    """

    details_of: str = ""
    details_state: str = DetailsState.OWED
    oom_killed: bool | None = None
    restart_count: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def facts(self) -> dict[str, bool | int | datetime | None]:
        """What readers see of it, by column."""
        return {
            "oom_killed": self.oom_killed,
            "restart_count": self.restart_count,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
        }

    @classmethod
    def told(cls, container_id: str, details: Details, state: DetailsState = DetailsState.TOLD) -> "LastInspect":
        """Return the columns for an answer. Exit code and health are not among them: they have columns of their own."""
        return cls(
            container_id,
            state,
            details.oom_killed,
            details.restart_count,
            details.started_at,
            details.finished_at,
        )
