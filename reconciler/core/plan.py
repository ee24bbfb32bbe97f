"""Rows and sightings → a Plan: a list of changes, each with a cause that a person can read.

Pure: imports no framework, reads no clock, does no I/O.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from msgspec.structs import replace

from reconciler.core.causes import differences, display_name, short
from reconciler.core.contests import RowElsewhere, obstacle, winners
from reconciler.core.dispatch import Row, Sighting
from reconciler.core.labels import Path
from reconciler.core.last_inspect import LastInspect
from reconciler.core.observation import FAILED, MISSING, MOVED, Observation, Reason, Skip


class Kind(StrEnum):
    """What a change does to its row."""

    CREATE = "create"
    UPDATE = "update"
    MISSING = "missing"
    MOVED = "moved"
    RESTART = "restart"
    DETAIL = "detail"


class Inspect(StrEnum):
    """Why the container of a change should be inspected."""

    NOTHING = "nothing"
    CHANGED = "changed"
    """Its state, exit code or identity has changed, so the stored details no longer describe it."""
    SUSPECTED = "suspected"
    """It may have been restarted since it was last inspected, or its health may have changed."""
    OWED = "owed"
    """An earlier pass did not get its details."""


@dataclass(frozen=True, slots=True)
class Change:
    """One row's change, from `before`, as the plan read it (None: no row), to `after`.

    `known` is what the row says from inspects, as this pass read it; `details` is what it will say (None: no
    change). `restarts` is how often the container was restarted between the two. `path` is which of its labels
    has led to the row, if the listing told.
    """

    kind: Kind
    before: Row | None
    after: Row
    copies: bool
    cause: str
    observation: Observation | None = None
    inspect: Inspect = Inspect.NOTHING
    known: LastInspect | None = None
    details: LastInspect | None = None
    restarts: int = 0
    path: Path | None = None

    @property
    def is_rebinding(self) -> bool:
        """Tell whether the row is new, or its state or its bound container changes."""
        return self.before is None or _binding(self.before) != _binding(self.after)

    @property
    def is_step(self) -> bool:
        """Tell whether this is a step of the row's history: a rebinding, a restart, or a change of health."""
        return self.is_rebinding or self.restarts > 0 or (self.before and self.before.health) != self.after.health

    @property
    def is_told(self) -> bool:
        """Tell whether anything changes that readers see; how the details came to be known is nothing of that."""
        return self.is_step or self.before != self.after or self._has_news

    def is_news_since(self, at: datetime) -> bool:
        """Tell whether the daemon caused the change after this moment, and not somebody who edited the database."""
        if self.kind in (Kind.MISSING, Kind.RESTART):
            return True
        if self.kind is Kind.MOVED:
            return False
        if self.before is None or not self.before.container_id:
            return self.observation is not None and self.observation.created >= int(at.timestamp())
        moved = self.after.container_id != self.before.container_id
        return moved or self.before.state not in (FAILED, self.after.state)

    @property
    def _has_news(self) -> bool:
        """Tell whether the details say something new."""
        return self.details is not None and self.details.facts != (self.known or LastInspect()).facts

    def __str__(self) -> str:
        return f"{self.kind} {self.after.id}: {self.cause}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one pass would do to one host's rows; `sighted` are the ids of containers that it saw in their rows."""

    changes: tuple[Change, ...]
    skips: tuple[Skip, ...]
    sighted: tuple[str, ...]
    unchanged: int

    @property
    def sweep(self) -> tuple[Change, ...]:
        """The rows that would go missing."""
        return tuple(change for change in self.changes if change.kind is Kind.MISSING)

    def __str__(self) -> str:
        return "\n".join(map(str, self.changes))


def make_plan(
    rows: Mapping[str, Row],
    sightings: Sequence[Sighting],
    skips: Iterable[Skip],
    listed_ids: frozenset[str] | None,
    rows_elsewhere: Mapping[str, RowElsewhere],
) -> Plan:
    """Decide every change of one host's rows, which are given by id.

    `sightings` are in the listing's order. `skips` are those of the dispatch; skips of containers that do not
    get their row are added. A row can go missing if its container is not in `listed_ids` (I3); None withholds
    the sweep, because some listed container's id could not be read. `rows_elsewhere` holds the rows of other
    hosts that have an id which some sighting asks for.
    """
    won, superseded = winners(sightings)
    changes, sighted, elsewhere = _confirm(won, rows, rows_elsewhere)
    unchanged = len(sighted) - len(changes)
    rest = [row for row_id, row in rows.items() if row_id not in won and row.container_id]
    changes += _moved(rest, sightings)
    changes += _sweep(rest, listed_ids)
    return Plan(
        changes=tuple(sorted(changes, key=lambda change: change.after.id)),
        skips=tuple(sorted([*skips, *superseded, *elsewhere])),
        sighted=tuple(sighted),
        unchanged=unchanged,
    )


def _confirm(
    won: Mapping[str, Sighting], own: Mapping[str, Row], rows_elsewhere: Mapping[str, RowElsewhere]
) -> tuple[list[Change], list[str], list[Skip]]:
    """Return the changes and the containers of rows that were seen, and skips where another host has the row."""
    changes: list[Change] = []
    sighted: list[str] = []
    skips: list[Skip] = []
    for row_id, sighting in won.items():
        before = own.get(row_id)
        if before is None and (elsewhere := rows_elsewhere.get(row_id)):
            if why := obstacle(sighting, elsewhere):
                skips.append(sighting.observation.skip(Reason.ROW_ON_OTHER_HOST, why))
                continue
            before = elsewhere.row
        if before is None:
            changes.append(_create(sighting))
        elif before != sighting.row and (change := _update(before, sighting)):
            changes.append(change)
        sighted.append(sighting.row.container_id)
    return changes, sighted, skips


def _create(sighting: Sighting) -> Change:
    """Return the change that makes a row."""
    row, observation = sighting.row, sighting.observation
    cause = f"container {short(row.container_id)} ({display_name(observation)}) is {row.state}"
    return Change(Kind.CREATE, None, row, sighting.copies, cause, observation, Inspect.CHANGED, path=sighting.path)


def _update(before: Row, sighting: Sighting) -> Change | None:
    """Return the change that makes a row as its container is, or None if it is so already."""
    after = sighting.row
    if not sighting.copies:
        # the listing says nothing about the deployer's columns (I9)
        after = replace(
            after,
            image_tag=before.image_tag,
            subdomain=before.subdomain,
            proxy_route_id=before.proxy_route_id,
            npm_proxy_id=before.npm_proxy_id,
        )
    if _binding(before) == _binding(after):
        after = _keep_what_listings_omit(before, after, sighting.observation)
    if after == before:
        return None
    has_changed = (_binding(before), before.exit_code) != (_binding(after), after.exit_code)
    inspect = Inspect.CHANGED if has_changed else Inspect.NOTHING
    cause = differences(before, after)
    return Change(Kind.UPDATE, before, after, sighting.copies, cause, sighting.observation, inspect, path=sighting.path)


def _keep_what_listings_omit(before: Row, after: Row, observation: Observation) -> Row:
    """Return the row with what only an inspect tells: an exit code after a failed start, and health on Podman."""
    exit_code = before.exit_code if after.exit_code is None else after.exit_code
    health = before.health if observation.hides_health else after.health
    return replace(after, exit_code=exit_code, health=health)


def _binding(row: Row) -> tuple[str, str]:
    """Return what makes a change of the row a transition if it changes."""
    return row.container_id, row.state


def _moved(rest: Sequence[Row], sightings: Iterable[Sighting]) -> list[Change]:
    """Return the changes of rows whose containers now stand for other rows (I3).

    A container's identity changes when its workload becomes known, or when it is renamed. This row is not
    its row any more, even if the other row shows another container or is on another host.
    """
    if not rest:
        return []
    by_container = {sighting.row.container_id: sighting for sighting in sightings}
    return [
        Change(
            Kind.MOVED,
            row,
            replace(row, container_id="", state=MOVED, health="", exit_code=None),
            False,
            f"container {short(row.container_id)} now stands for row {sighting.row.id} (was {row.state})",
            sighting.observation,
            details=LastInspect(),
        )
        for row in rest
        if (sighting := by_container.get(row.container_id))
    ]


def _sweep(rest: Iterable[Row], listed_ids: frozenset[str] | None) -> list[Change]:
    """Return the changes of rows whose containers are not listed any more."""
    if listed_ids is None:
        return []
    return [
        Change(
            Kind.MISSING,
            row,
            replace(row, state=MISSING),
            False,
            f"container {short(row.container_id)} is not in the listing (was {row.state})",
        )
        for row in rest
        if row.container_id not in listed_ids and row.state != MISSING
    ]
