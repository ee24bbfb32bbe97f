"""For how long rows, workloads and hosts were up, were down, and were not known, within a span; and when."""

from collections.abc import Collection
from datetime import datetime
from itertools import chain

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from reconciler.core.uptime import Piece, Span, Uptime, host_pieces, pieces_of, timeline, together, uptime_of
from reconciler.models.blind import blindness, darkness
from reconciler.models.container import Container
from reconciler.models.host import Host
from reconciler.models.outage import OutageKind
from reconciler.models.reckoning import reckon
from reconciler.models.steps import MOST_STEPS, steps_of
from reconciler.models.transition import IS_END, Transition

ROWS_AT_ONCE = 1_000
"""How many rows' steps are in memory at a time."""


def uptime_of_all_rows(since: datetime, until: datetime) -> dict[str, Uptime]:
    """Return the uptime of all rows that are there, or have ended since the span began.

    PostgreSQL reckons most of them, all at once. Of the others, the steps are read.
    """
    span, seen = _spans(since, until)
    if connection.vendor == "postgresql":
        found, others = reckon(span, seen, blindness(seen), MOST_STEPS)
    else:
        there, ended = Container.objects.values_list("id", flat=True), _ended(since).values_list("row_id", flat=True)
        found, others = {}, list({*there, *ended})
    for begin in range(0, len(others), ROWS_AT_ONCE):
        found |= uptime_of_rows(others[begin : begin + ROWS_AT_ONCE], since, until)
    return found


def uptime_of_rows(row_ids: Collection[str], since: datetime, until: datetime) -> dict[str, Uptime]:
    """Return the uptime of each of these rows."""
    span, seen = _spans(since, until)
    return {row_id: uptime_of(pieces, span) for row_id, pieces in _pieces(row_ids, seen).items()}


def uptime_of_workload(workload_id: str, since: datetime, until: datetime) -> Uptime:
    """Return a workload's uptime: it is up while at least one of its containers is."""
    return uptime_of(timelines_of_workloads([workload_id], since, until)[workload_id], Span(since, until))


def uptime_of_host(name: str, since: datetime, until: datetime) -> Uptime:
    """Return a host's own uptime: it is down while passes over it fail, and not known while nobody looks at it."""
    return uptime_of(timeline_of_host(name, since, until), Span(since, until))


def timeline_of_host(name: str, since: datetime, until: datetime) -> list[Piece]:
    """Return when a host could be seen: pieces that cover the whole span.

    It is down while passes over it fail, and not known while nobody looks at it, and before there was such a host.
    """
    span, seen = _spans(since, until)
    host = Host.objects.filter(name=name).first()
    existing = Span(host.created_at, seen.end).within(seen) if host else None
    if existing is None:
        return timeline([], span)
    dark = list(darkness(existing, [name]))
    failing = [each.span for each in dark if each.kind == OutageKind.UNREACHABLE]
    return timeline(host_pieces(existing, failing, [each.span for each in dark]), span)


def timelines_of_rows(row_ids: Collection[str], since: datetime, until: datetime) -> dict[str, list[Piece]]:
    """Return what each of these rows showed, and when: pieces that cover the whole span."""
    span, seen = _spans(since, until)
    return {row_id: timeline(pieces, span) for row_id, pieces in _pieces(row_ids, seen).items()}


def timelines_of_workloads(workload_ids: Collection[str], since: datetime, until: datetime) -> dict[str, list[Piece]]:
    """Return what each of these workloads showed, and when: pieces that cover the whole span.

    A workload is up while at least one of its containers is. A row counts for the workload that it serves, or, if
    it is gone, for the one that it served last.
    """
    span, seen = _spans(since, until)
    there = Container.objects.filter(workload_id__in=workload_ids).values_list("id", "workload_id")
    is_there = Exists(Container.objects.filter(id=OuterRef("row_id")))
    ended = _ended(since).filter(~is_there, workload_id__in=workload_ids).values_list("row_id", "workload_id")
    workload_of = dict([*ended, *there])
    shown: dict[str, list[list[Piece]]] = {workload_id: [] for workload_id in workload_ids}
    for row_id, pieces in _pieces(workload_of, seen).items():
        shown[workload_of[row_id]].append(pieces)
    # what a single row shows is in order already
    whole = {each: rows[0] if len(rows) == 1 else together(chain.from_iterable(rows)) for each, rows in shown.items()}
    return {workload_id: timeline(pieces, span) for workload_id, pieces in whole.items()}


def _pieces(row_ids: Collection[str], seen: Span) -> dict[str, list[Piece]]:
    """Return what each of these rows showed in a span that is not in the future."""
    steps = steps_of(row_ids, seen.begin)
    blind = blindness(seen, {step.host for of_row in steps.values() for step in of_row})
    return {row_id: pieces_of(steps.get(row_id, []), blind, seen) for row_id in row_ids}


def _ended(since: datetime) -> "QuerySet[Transition]":
    """Return the ends of rows since a moment, in the order of their commits."""
    return Transition.objects.filter(IS_END, at__gte=since).order_by("id")


def _spans(since: datetime, until: datetime) -> tuple[Span, Span]:
    """Return the span that is asked for, and the part of it that is not in the future."""
    if until < since:
        raise ValueError(f"a span ends after it begins: {since} to {until}")
    return Span(since, until), Span(since, max(since, min(until, timezone.now())))
