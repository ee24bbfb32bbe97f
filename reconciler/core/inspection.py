"""The body of an inspect → Details: what a listing does not tell about a container.

Pure: imports no framework, reads no clock, does no I/O.
"""

import re
from datetime import UTC, datetime

import msgspec

from reconciler.core.listing import begins
from reconciler.core.observation import HEALTHS, MAX_NUMBER, STOPPING, Details

FIRST_YEAR = 1970
"""A moment before this year means that nothing happened: Go's zero time is in the year 1."""

_RFC3339 = re.compile(r"((\d{4})-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?)\d*(Z|[+-]\d\d:\d\d)", re.ASCII)


class BadInspection(ValueError):
    """The body does not describe a container, or one of its fields cannot be stored."""


class _Health(msgspec.Struct):
    Status: str = ""


class _State(msgspec.Struct):
    Status: str = ""
    Running: bool = False
    Restarting: bool = False
    OOMKilled: bool = False
    ExitCode: int = 0
    StartedAt: str | None = None
    FinishedAt: str | None = None
    Health: _Health | None = None

    @property
    def is_up(self) -> bool:
        """Tell whether the process lives. Podman says of one that is stopping that it does not run."""
        return self.Running or self.Status == STOPPING


class _Container(msgspec.Struct):
    State: _State
    RestartCount: int = 0


_container = msgspec.json.Decoder(_Container)


def decode_details(body: bytes) -> Details:
    """Return what an inspect says. Raises BadInspection, which names the field that is wrong."""
    try:
        said = _container.decode(body)
    except (ValueError, RecursionError) as error:
        raise BadInspection(f"answered an inspect with something unusable: {error}{begins(body)}") from None
    state = said.State
    started_at = _moment("State.StartedAt", state.StartedAt)
    # A container between two attempts counts as running for its daemon, but its process has ended. A container that
    # could not be started has an exit code that is not 0, such as 127; there, 0 means nothing.
    has_ended = state.Restarting or (not state.is_up and (started_at is not None or state.ExitCode != 0))
    return Details(
        exit_code=_number("State.ExitCode", state.ExitCode, -MAX_NUMBER) if has_ended else None,
        oom_killed=state.OOMKilled,
        restart_count=_number("RestartCount", said.RestartCount, 0),
        started_at=started_at,
        finished_at=_moment("State.FinishedAt", state.FinishedAt),
        health=state.Health.Status if state.Health and state.Health.Status in HEALTHS else "",
    )


def _number(field: str, value: int, least: int) -> int:
    """Return a number that every database can store. Raises BadInspection for any other."""
    if not least <= value <= MAX_NUMBER:
        raise BadInspection(f"answered an inspect with {field} out of range: {value}")
    return value


def _moment(field: str, text: str | None) -> datetime | None:
    """Read a moment by RFC 3339, to the microsecond, with any offset; None if it is absent or a zero time."""
    if not text:
        return None
    found = _RFC3339.fullmatch(text)
    if found and int(found[2]) < FIRST_YEAR:
        return None
    try:
        moment = datetime.fromisoformat(found[1] + found[3] if found else "").astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadInspection(f"answered an inspect with {field} that is no moment: {text[:40]!r}") from None
    return moment if moment.year >= FIRST_YEAR else None
