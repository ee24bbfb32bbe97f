"""I/O: how hosts stand after a pass, a failure or a tick: their notes, their outages, and what the feed is told."""

import contextlib
from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, NamedTuple

from django.db import DatabaseError, transaction
from django.db.models import Case, Exists, F, OuterRef, Q, TextField, Value, When
from django.db.models.functions import Least

from reconciler import feed
from reconciler.models import ChangeKind, Condition, Host, Outage, OutageKind, State, Transition
from reconciler.models.condition import CONDITION_CAUSES, condition
from reconciler.models.host import latest_believed, stale_after, succeeded_lately
from reconciler.store import Fence

NOBODY_LOOKED = "no pass ended within three intervals"
_OPEN = Outage.objects.open().filter(host=OuterRef("name"))


class Proven(NamedTuple):
    """What a pass that may apply has to know; `overtaken`: an older pass applied after this one had read its rows.

    `entries` is what the feed is to be told of the host.
    """

    overtaken: bool
    entries: list[Transition]


def note_success(fence: Fence, learnt: dict[str, Any], at: datetime, trigger: str) -> Proven | None:
    """Prove the fence, note the success, and lock out other passes of this host until the commit (I6).

    None means that a younger pass has applied. `learnt` is not written if an older one has applied meanwhile.
    """
    if note_as_read(fence, learnt, at):
        return Proven(overtaken=False, entries=[])
    hosts = Host.objects.filter(name=fence.host)
    success = _success(fence, at)
    before = hosts.select_for_update(no_key=True).first()
    if before is None or before.fence_applied >= fence.token:
        return None
    overtaken = before.fence_applied != fence.applied
    hosts.update(**success, **({} if overtaken else learnt))
    _end_outage(before, at)
    return Proven(overtaken=overtaken, entries=_tell([hosts.get()], at, trigger))


def note_as_read(fence: Fence, learnt: dict[str, Any], at: datetime) -> bool:
    """Prove the fence and note the success, in one statement, if that is all: nothing ends, and nothing is to be told.

    That is so if the host still is as it was read, has not failed, is not out, and is told of as what it stays.
    Return whether it was.
    """
    known = fence.record.condition_told
    stays = Condition.HELD if learnt["held_since"] else Condition.FRESH
    if known != stays or not succeeded_lately(fence.record.last_success_at, at):
        return False
    as_read = Host.objects.filter(name=fence.host, fence_applied=fence.applied, condition_told=known, enabled=True)
    at_peace = as_read.filter(~Exists(_OPEN), failures=0)
    return bool(at_peace.update(fence_applied=fence.token, last_success_at=at, **learnt))


def _success(fence: Fence, at: datetime) -> dict[str, Any]:
    """Return what a success writes on its host. It clears failures of older passes, not those of younger ones (I6)."""
    is_younger = Q(fence_failed__gt=fence.token)
    cleared: dict[str, Any] = {"last_error": Value("", TextField()), "failures": Value(0), "retry_at": Value(None)}
    unless_younger = {name: Case(When(is_younger, then=F(name)), default=value) for name, value in cleared.items()}
    return {"fence_applied": fence.token, "last_success_at": at, **unless_younger}


class Failure(NamedTuple):
    """Why a pass failed, when, and when a tick tries again."""

    error: str
    at: datetime
    retry_at: datetime


def note_failure(fence: Fence, failure: Failure, trigger: str) -> bool:
    """Note that a host's pass failed; return whether this is another error than before.

    Nothing is noted if a younger pass has succeeded or failed meanwhile (I6).
    """
    error, at, retry_at = failure
    hosts = Host.objects.filter(name=fence.host, fence_applied__lt=fence.token, fence_failed__lt=fence.token)
    with transaction.atomic():
        host = hosts.select_for_update(no_key=True).first()
        if host is None:
            return False
        is_news, host.last_error = host.last_error != error, error
        noted = {"last_error": error, "last_error_at": at, "retry_at": retry_at, "failures": F("failures") + 1}
        hosts.update(fence_failed=fence.token, **noted)
        if host.condition_told != Condition.FAILING:
            _begin_unreachable(host, failure)
        # if the feed cannot be written, the next tick tells it; that the host fails has to be known in any case
        with contextlib.suppress(DatabaseError), transaction.atomic():
            feed.append(_tell([host], at, trigger))
    return is_news


def note_conditions(at: datetime, names: Collection[str] | None = None) -> None:
    """Tell the feed of hosts that became stale, or were made or switched on or off; by default, of all hosts.

    A host that somebody else has locked is left out: a pass of it tells by itself, or the next tick does.
    """
    hosts = Host.objects.defer("held", "swept", "skips")
    if names is not None:
        hosts = hosts.filter(name__among=names)
    changed = [host.name for host in hosts if condition(host, at) != host.condition_told]
    if not changed:
        return
    with transaction.atomic():
        free = hosts.filter(name__among=changed).select_for_update(no_key=True, skip_locked=True)
        locked = list(free.order_by("name"))
        stale = [host for host in locked if condition(host, at) is Condition.STALE]
        outages = [_outage(host, OutageKind.NOBODY_LOOKED, at, NOBODY_LOOKED) for host in stale]
        Outage.objects.bulk_create(outages, ignore_conflicts=True)
        feed.append(_tell(locked, at))


def remove_host(host: Host, at: datetime) -> None:
    """Delete a host that has no rows; its outage ends with it, and the feed is told."""
    with transaction.atomic():
        if outage := Outage.objects.on(host).open().first():
            outage.end(at)
            outage.save()
        end = _entry(host, State.GONE, at, "it was removed")
        host.delete()
        feed.append([end])


def _tell(hosts: Iterable[Host], at: datetime, trigger: str = "") -> list[Transition]:
    """Note the condition of hosts that the caller has locked; return what the feed is to be told of it."""
    entries: list[Transition] = []
    names: dict[Condition, list[str]] = defaultdict(list)
    for host in hosts:
        now = condition(host, at)
        if now != host.condition_told:
            names[now].append(host.name)
            entries.append(_entry(host, now, at, CONDITION_CAUSES[now], trigger))
    for now, changed in names.items():
        Host.objects.filter(name__among=changed).update(condition_told=now)
    return entries


def _entry(host: Host, to_state: str, at: datetime, cause: str, trigger: str = "") -> Transition:
    return Transition(
        kind=ChangeKind.HOST,
        row_id="",
        host_id=host.name,
        from_state=host.condition_told,
        to_state=to_state,
        at=at,
        cause=cause,
        trigger=trigger,
    )


def _begin_unreachable(host: Host, failure: Failure) -> None:
    """Begin an outage; one in which nobody had looked so far becomes one of a host that cannot be reached."""
    known = {"kind": OutageKind.UNREACHABLE, "reason": failure.error}
    if not Outage.objects.on(host).open().update(**known):
        _outage(host, OutageKind.UNREACHABLE, failure.at, failure.error).save()


def _outage(host: Host, kind: OutageKind, at: datetime, reason: str) -> Outage:
    """Return an outage that is noticed now, and began with the host's last success."""
    began_at = min(host.last_success_at or host.created_at, at)
    return Outage(host_id=host.name, kind=kind, began_at=began_at, noticed_at=at, reason=reason)


def _end_outage(before: Host, at: datetime) -> None:
    """Let the host's outage end with this success; if there is none, note whether nobody has looked since the last."""
    last = before.last_success_at
    if last and last > latest_believed(at):
        _take_back(before, at)
    outage = Outage.objects.on(before).open().first()
    if outage is None and last and at - last > stale_after():
        outage = _outage(before, OutageKind.NOBODY_LOOKED, at, NOBODY_LOOKED)
    if outage:
        outage.end(at)
        outage.save()


def _take_back(host: Host, at: datetime) -> None:
    """Let no outage last into the future: a success was noted by a clock that was ahead, and is wrong no more."""
    ahead = Outage.objects.on(host).filter(ended_at__gt=at)
    ahead.filter(kind=OutageKind.NOBODY_LOOKED, began_at__gte=at - stale_after()).delete()
    now = Value(at)
    ahead.update(began_at=Least(F("began_at"), now), noticed_at=Least(F("noticed_at"), now), ended_at=at)
