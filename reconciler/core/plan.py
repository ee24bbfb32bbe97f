"""Rows + sightings → a Plan: a list of changes, each with a cause a person can read.

Pure: imports no framework, reads no clock, does no I/O. Carrying the plan out decides nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from msgspec.structs import replace

from reconciler.core.causes import differences, display_name, short
from reconciler.core.dispatch import Row, Sighting
from reconciler.core.observation import Details, Observation, Reason, Skip

MISSING = "missing"
FAILED = "failed"


class Kind(StrEnum):
    """What a change does to its row."""

    CREATE = "create"
    UPDATE = "update"
    MISSING = "missing"
    RESTART = "restart"
    DETAIL = "detail"


@dataclass(frozen=True, slots=True)
class Change:
    """One row's change: `before` as the plan read it (None: no row), `after` as it shall be.

    `details` are what an inspect has told, if there was one; `restarts` is by how much the restart
    count has grown since the last.
    """

    kind: Kind
    before: Row | None
    after: Row
    copies: bool
    cause: str
    observation: Observation | None = None
    details: Details | None = None
    restarts: int = 0

    @property
    def is_transition(self) -> bool:
        """Tell whether the state or the bound container changes, or the container has been restarted."""
        before, after = self.before, self.after
        if before is None or self.kind is Kind.RESTART:
            return True
        return (before.state, before.container_id) != (after.state, after.container_id)

    @property
    def outdates_details(self) -> bool:
        """Tell whether what an inspect said before is said no more of the container as it is now."""
        return self.kind is not Kind.MISSING and not self.after.details_of

    @property
    def writes_details(self) -> bool:
        """Tell whether the details are written, be it as empty: new ones are told, or the old ones are true no more."""
        return self.details is not None or self.before is None or _life(self.before) != _life(self.after)

    def is_news_since(self, at: datetime) -> bool:
        """Tell whether the daemon caused the change after a moment, not somebody who edited the database."""
        if self.kind in (Kind.MISSING, Kind.RESTART):
            return True
        if self.before is None or not self.before.container_id:
            return self.observation is not None and self.observation.created >= int(at.timestamp())
        moved = self.after.container_id != self.before.container_id
        return moved or self.before.state not in (FAILED, self.after.state)

    def __str__(self) -> str:
        return f"{self.kind} {self.after.id}: {self.cause}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one pass would do to one host's rows; `sighted` are the container ids of rows it confirms."""

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
    rows: Iterable[Row],
    sightings: Sequence[Sighting],
    skips: Iterable[Skip],
    listed_ids: frozenset[str] | None,
    rows_elsewhere: Mapping[str, Row],
) -> Plan:
    """Decide every change of one host's rows; `skips` so far are completed by those that a contest for a row makes.

    `listed_ids` is what the sweep goes by (I3); None withholds the sweep, because some listed
    container's id could not be read. `rows_elsewhere` holds the rows of other hosts that bear an
    id some sighting asks for.
    """
    own = {row.id: row for row in rows}
    winners, superseded = _settle(sightings)
    changes, sighted, elsewhere = _confirm(winners, own, rows_elsewhere)
    unchanged = len(sighted) - len(changes)
    rest = [row for row_id, row in own.items() if row_id not in winners and row.container_id and row.state != MISSING]
    changes += _follow(rest, sightings)
    changes += _sweep(rest, listed_ids)
    return Plan(
        changes=tuple(sorted(changes, key=lambda change: change.after.id)),
        skips=tuple(sorted([*skips, *superseded, *elsewhere])),
        sighted=tuple(sighted),
        unchanged=unchanged,
    )


def _confirm(
    winners: Mapping[str, Sighting], own: Mapping[str, Row], rows_elsewhere: Mapping[str, Row]
) -> tuple[list[Change], list[str], list[Skip]]:
    """Return changes and containers of the rows that are sighted, and skips where another host has the row."""
    changes: list[Change] = []
    sighted: list[str] = []
    skips: list[Skip] = []
    for row_id, sighting in winners.items():
        before = own.get(row_id)
        if before is None and (before := rows_elsewhere.get(row_id)) and not _is_free(before):
            skips.append(_on_other_host(sighting, before))
            continue
        if before is None:
            changes.append(_create(sighting))
        elif change := _update(before, sighting):
            changes.append(change)
        sighted.append(sighting.row.container_id)
    return changes, sighted, skips


def _settle(sightings: Iterable[Sighting]) -> tuple[dict[str, Sighting], list[Skip]]:
    winners: dict[str, Sighting] = {}
    skips: list[Skip] = []
    for sighting in sightings:
        rival = winners.setdefault(sighting.row.id, sighting)
        if rival is sighting:
            continue
        winner, loser = sorted((rival, sighting), key=_rank, reverse=True)
        winners[sighting.row.id] = winner
        skips.append(_superseded(loser, winner))
    return winners, skips


def _rank(sighting: Sighting) -> tuple[bool, int, str]:
    observation = sighting.observation
    return observation.is_live, observation.created, observation.container_id


def _is_free(row: Row) -> bool:
    """Tell whether a row of another host may move: a placeholder, or missing where it was."""
    return not row.container_id or row.state == MISSING


def _create(sighting: Sighting) -> Change:
    row, observation = sighting.row, sighting.observation
    cause = f"container {short(row.container_id)} ({display_name(observation)}) is {row.state}"
    return Change(Kind.CREATE, None, replace(row, details_of=""), sighting.copies, cause, observation)


def _update(before: Row, sighting: Sighting) -> Change | None:
    after = sighting.row
    if after == before:
        return None
    if not sighting.copies:
        # the deployer's columns are not the listing's to judge (I9)
        after = replace(
            after,
            image_tag=before.image_tag,
            subdomain=before.subdomain,
            proxy_route_id=before.proxy_route_id,
            npm_proxy_id=before.npm_proxy_id,
        )
    after = _with_inspected(before, after)
    if after == before:
        return None
    return Change(Kind.UPDATE, before, after, sighting.copies, differences(before, after), sighting.observation)


def _life(row: Row) -> tuple[str, str, int | None, str]:
    """Return what details tell more of."""
    return row.container_id, row.state, row.exit_code, row.details_of


def _with_inspected(before: Row, after: Row) -> Row:
    """Keep what an inspect told and a listing does not, as long as it is true of this container in this state.

    That is an exit code (of a failed start, say), and whose the details are. A deployer may have bound
    the row to another container meanwhile.
    """
    if (before.container_id, before.state) != (after.container_id, after.state):
        return replace(after, details_of="")
    if before.details_of not in ("", after.container_id):
        return replace(after, details_of="")
    is_told = after.exit_code is None and before.details_of == after.container_id
    exit_code = before.exit_code if is_told else after.exit_code
    return replace(after, exit_code=exit_code, details_of=before.details_of if exit_code == before.exit_code else "")


def _follow(rest: Sequence[Row], sightings: Iterable[Sighting]) -> list[Change]:
    """Keep the state true of rows whose container now stands for another row, whether or not it won that one.

    A container's identity can move (its workload became known, an instance was re-registered). The
    old row may not go missing while its container is listed (I3), nor keep a state that is stale.
    """
    if not rest:
        return []
    changes = []
    by_container = {sighting.row.container_id: sighting for sighting in sightings}
    for row in rest:
        owner = by_container.get(row.container_id)
        if owner is None or row.state == owner.row.state:
            continue
        seen = owner.row
        after = replace(row, state=seen.state, health=seen.health, exit_code=seen.exit_code, details_of="")
        cause = f"container {short(row.container_id)} now stands for {owner.row.id}; {differences(row, after)}"
        changes.append(Change(Kind.UPDATE, row, after, False, cause, owner.observation))
    return changes


def _sweep(rest: Iterable[Row], listed_ids: frozenset[str] | None) -> list[Change]:
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
        if row.container_id not in listed_ids
    ]


def _superseded(loser: Sighting, winner: Sighting) -> Skip:
    by = winner.observation
    detail = f"row {winner.row.id} shows {short(by.container_id)} ({display_name(by)}, {by.state})"
    return Skip(loser.observation.container_id, loser.observation.name, Reason.SUPERSEDED, detail)


def _on_other_host(sighting: Sighting, row: Row) -> Skip:
    detail = f"row {row.id} is {row.state} on host {row.host}"
    return Skip(sighting.observation.container_id, sighting.observation.name, Reason.ROW_ON_OTHER_HOST, detail)
