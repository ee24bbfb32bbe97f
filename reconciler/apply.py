"""I/O: writes a plan into the database, in one transaction and a constant number of queries (I11).

It decides nothing. A change is applied if its row is still as the plan read it (I5) and no younger pass of
the host has applied (I6). Otherwise it is dropped and counted.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import Case, Value, When
from django.db.models.functions import Coalesce
from msgspec.structs import asdict, astuple

from reconciler import feed
from reconciler.core.causes import storable
from reconciler.core.labels import alerts_word
from reconciler.core.observation import MISSING, Skip
from reconciler.core.plan import Change, Kind
from reconciler.core.safeguard import Verdict, withhold_sweep
from reconciler.counting import count_after_mass
from reconciler.insert import insert_what_is_free
from reconciler.models import Container, Transition
from reconciler.models.host import MOST_SKIPS_KEPT
from reconciler.models.trouble import orphan_condition
from reconciler.standing import note_as_read, note_success
from reconciler.store import COPIED_COLUMNS, DETAIL_COLUMNS, ROW_COLUMNS, Fence, memory_columns

OBSERVED_COLUMNS = tuple(name for name in ROW_COLUMNS if name not in ("id", *COPIED_COLUMNS))


class PassContext(NamedTuple):
    """When and why a plan is applied: `seen_at` is the moment before the listing, `now` the moment of writing.

    Sightings of unchanged rows are refreshed if the last refresh is older than `refresh_after`.
    """

    trigger: str
    seen_at: datetime
    now: datetime
    refresh_after: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What became of a plan: the changes that were made, and those that were dropped because somebody was faster.

    If it was `overtaken`, an older pass applied after this one had read its rows. What this pass found
    unchanged may have changed since, so another look is due.
    """

    changes: tuple[Change, ...]
    conflicts: tuple[Change, ...]
    overtaken: bool


def apply(verdict: Verdict, fence: Fence, context: PassContext) -> Applied | None:
    """Write a plan in one transaction. None means that a younger pass has applied, and that nothing was changed."""
    learnt = {"engine_id": verdict.engine_id, "skips": _kept(verdict.plan.skips), **memory_columns(verdict.memory)}
    is_refresh_due = _is_refresh_due(fence.record.sightings_at, context)
    if is_refresh_due:
        learnt["sightings_at"] = context.seen_at
    elif not verdict.plan.changes and note_as_read(fence, learnt, context.now):
        return Applied(changes=(), conflicts=(), overtaken=False)
    with transaction.atomic():
        proven = note_success(fence, learnt, context.now, context.trigger)
        if proven is None:
            return None
        plan, withheld = withhold_sweep(verdict.plan) if proven.overtaken else (verdict.plan, ())
        fresh, conflicts = _compare(plan.changes)
        conflicts += withheld
        lost = _create(_of(fresh, Kind.CREATE), fence.host, context.seen_at)
        _update(_of(fresh, Kind.UPDATE, Kind.RESTART, Kind.DETAIL, Kind.MOVED), context.seen_at)
        _mark_missing(_of(fresh, Kind.MISSING), context.now)
        made = tuple(change for change in fresh if change.after.id not in lost)
        if is_refresh_due and not proven.overtaken:
            _refresh(plan.sighted, fence.host, context.seen_at)
        feed.append([*proven.entries, *(_entry(change, context) for change in made if change.is_told)])
    return Applied(
        changes=made,
        conflicts=(*conflicts, *(change for change in fresh if change.after.id in lost)),
        overtaken=proven.overtaken,
    )


def _kept(skips: Sequence[Skip]) -> list[dict[str, str]]:
    """Return what is kept of the containers that a pass leaves alone: the first ones, as people read them."""
    return [{name: storable(str(value)) for name, value in skip._asdict().items()} for skip in skips[:MOST_SKIPS_KEPT]]


def _compare(changes: Sequence[Change]) -> tuple[list[Change], list[Change]]:
    """Lock the rows of a plan, and divide it into changes that are still valid and conflicts (I5)."""
    if not changes:
        return [], []
    # this waits for nobody: a row that somebody else holds locked is not found, as if it had been deleted
    rows = Container.objects.select_for_update(skip_locked=True, no_key=True)
    rows = rows.filter(id__among=[change.after.id for change in changes])
    details = DETAIL_COLUMNS if any(change.known for change in changes) else ()
    columns = (*OBSERVED_COLUMNS, *COPIED_COLUMNS, *details)
    locked = {row_id: seen for row_id, *seen in rows.order_by("id").values_list("id", *columns)}
    fresh: list[Change] = []
    conflicts: list[Change] = []
    for change in changes:
        (fresh if _is_as_read(change, locked.get(change.after.id)) else conflicts).append(change)
    return fresh, conflicts


def _is_as_read(change: Change, locked: Sequence[object] | None) -> bool:
    """Tell whether all columns that will be written are as the plan read them: the feed tells the old values."""
    before = change.before
    if before is None or locked is None:
        return before is None and locked is None
    known, count = astuple(before)[1:], len(OBSERVED_COLUMNS)
    observed, copied, details = locked[:count], locked[count : len(known)], locked[len(known) :]
    return (
        tuple(observed) == known[:count]
        and (not change.copies or tuple(copied) == known[count:])
        and (not change.known or tuple(details) == astuple(change.known))
    )


def _create(changes: Sequence[Change], host: str, seen_at: datetime) -> frozenset[str]:
    """Insert rows; return the ids of those that somebody else has inserted, or is about to insert."""
    if not changes:
        return frozenset()
    insert_what_is_free([_container(change, seen_at) for change in changes])
    count_after_mass(Container, len(changes))
    ids = [change.after.id for change in changes]
    made = Container.objects.on(host).filter(id__among=ids, last_seen_at=seen_at).values_list("id", flat=True)
    return frozenset(ids).difference(made)


def _update(changes: Sequence[Change], seen_at: datetime) -> None:
    """Write the observed columns; the deployer's only where they were copied from an instance (I9).

    Details are written where an inspect told them, or did not tell what it should have.
    """
    groups: dict[tuple[str, ...], list[Container]] = defaultdict(list)
    for change in changes:
        copied = COPIED_COLUMNS if change.copies else ()
        details = DETAIL_COLUMNS if change.details else ()
        of_labels = ("label_path", "alerts") if change.path else ()
        groups[OBSERVED_COLUMNS + copied + details + of_labels].append(_container(change, seen_at))
    for columns, containers in groups.items():
        # the rows are locked and exist, so this upsert only updates, with other values for each row
        Container.objects.bulk_create(
            containers,
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=[*columns, "last_seen_at", "updated_at"],
        )


def _mark_missing(changes: Sequence[Change], now: datetime) -> None:
    if changes:
        rows = Container.objects.filter(id__among=[change.after.id for change in changes])
        rows.update(state=MISSING, updated_at=now)


def _entry(change: Change, context: PassContext) -> Transition:
    """Return what the feed tells about a change."""
    before, after, details = change.before, change.after, change.details
    return Transition(
        row_id=after.id,
        host_id=after.host,
        workload_id=after.workload_id,
        is_step=change.is_step,
        from_state=before.state if before else "",
        to_state=after.state,
        from_health=before.health if before else "",
        to_health=after.health,
        container_id=after.container_id or (before.container_id if before else ""),
        at=context.now,
        cause=change.cause,
        trigger=context.trigger,
        exit_code=after.exit_code,
        oom_killed=details.oom_killed if details else None,
        restarts=change.restarts,
    )


def _is_refresh_due(refreshed_at: datetime | None, context: PassContext) -> bool:
    """Tell whether last_seen_at of unchanged rows has to be refreshed: once per `refresh_after` (I11).

    A last refresh in the future was noted by a wrong clock, so another one is due.
    """
    age = None if refreshed_at is None else context.seen_at - refreshed_at
    return age is None or not -context.refresh_after <= age < context.refresh_after


def _refresh(sighted: Sequence[str], host: str, seen_at: datetime) -> None:
    """Update last_seen_at of the rows that were seen, and note since when their workload has not been there.

    Nobody tells when a workload is deleted, so what is noted is when a pass first noticed. It goes by container id,
    not by row id: a row that was bound to another container meanwhile was not seen.
    """
    rows = Container.objects.on(host).filter(container_id__among=sighted).order_by()
    # a row that somebody else holds locked waits for the next refresh
    free = rows.select_for_update(skip_locked=True, no_key=True).values("id")
    noticed_at = Case(When(orphan_condition(), then=Coalesce("orphaned_at", Value(seen_at))), default=None)
    Container.objects.filter(id__in=free).update(last_seen_at=seen_at, orphaned_at=noticed_at)


def _container(change: Change, seen_at: datetime) -> Container:
    columns = dict(zip(ROW_COLUMNS, astuple(change.after), strict=True))
    details = asdict(change.details) if change.details else {}
    alerts = alerts_word(change.observation.labels) if change.observation else ""
    return Container(last_seen_at=seen_at, label_path=change.path or "", alerts=alerts, **columns, **details)


def _of(changes: Iterable[Change], *kinds: Kind) -> list[Change]:
    return [change for change in changes if change.kind in kinds]
