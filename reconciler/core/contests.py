"""Which container has a row if several stand for it, and when a row moves to another host.

Pure: imports no framework, reads no clock, does no I/O.
"""

from collections.abc import Sequence

from msgspec import Struct

from reconciler.core.causes import display_name, short
from reconciler.core.dispatch import Row, Sighting
from reconciler.core.observation import FAILED, MISSING, MOVED, STOPPED, Reason, Skip

_NOT_LIVE_THERE = frozenset({MISSING, MOVED, STOPPED, FAILED})


class RowElsewhere(Struct, frozen=True, gc=False):
    """A row on another host that has the id which a sighting asks for, and whether that host is off."""

    row: Row
    host_is_off: bool


def winners(sightings: Sequence[Sighting]) -> tuple[dict[str, Sighting], list[Skip]]:
    """Return by row id the container that wins each row, and a skip for each of the others.

    A live container wins over one that is not; then the newer one wins. `sightings` are in the listing's
    order: of two containers that were created within one second, the one listed first is the newer,
    because daemons list the newest first.
    """
    won: dict[str, Sighting] = {}
    for sighting in sightings:
        row_id = sighting.row.id
        rival = won.setdefault(row_id, sighting)
        if rival is not sighting and _rank(sighting) > _rank(rival):
            won[row_id] = sighting
    if len(won) == len(sightings):
        return won, []
    return won, [_superseded(each, won[each.row.id]) for each in sightings if won[each.row.id] is not each]


def obstacle(sighting: Sighting, elsewhere: RowElsewhere) -> str:
    """Return in words why a row stays on its host (I4, I20), or nothing if it moves to the host of this sighting."""
    row, observation = elsewhere.row, sighting.observation
    if row.is_placeholder:
        return f"row {row.id} is a placeholder on host {row.host}; if no deploy is under way there, delete the row"
    at = f"row {row.id} is {row.state} on host {row.host}"
    if not observation.is_live:
        return f"{at}, and moves only to a container that is live; this one is {observation.state}"
    if elsewhere.host_is_off or row.state in _NOT_LIVE_THERE:
        return ""
    return f"{at}; it moves once its container there is stopped or gone, or once that host is off"


def _rank(sighting: Sighting) -> tuple[bool, int]:
    """Return by what containers are compared: the greater one wins."""
    return sighting.observation.is_live, sighting.observation.created


def _superseded(loser: Sighting, winner: Sighting) -> Skip:
    """Return the skip of a container that another one has beaten."""
    by = winner.observation
    detail = f"row {winner.row.id} shows {short(by.container_id)} ({display_name(by)}, {by.state})"
    return loser.observation.skip(Reason.SUPERSEDED, detail)
