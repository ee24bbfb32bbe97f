"""The steps of many rows' histories, as far back as a span asks for."""

from collections.abc import Collection, Iterator
from datetime import datetime
from itertools import groupby, pairwise
from operator import itemgetter

from django.db.models import Count, Max, Q, QuerySet

from reconciler.core.uptime import Step
from reconciler.models.transition import Transition, TransitionQuerySet

_Row = tuple[str, datetime, str, str]

MOST_STEPS = 10_000
"""How many steps of a row count, the newest ones. What a row that has more showed before these is not known."""


def steps_of(row_ids: Collection[str], since: datetime) -> dict[str, list[Step]]:
    """Return the steps from which follows what each of these rows showed from a moment on, in commit order.

    These are the steps since then, and the last one before. Only where a clock was wrong do others matter, too.
    """
    steps = Transition.objects.steps().filter(row__id__among=row_ids)
    last_before = steps.filter(at__lt=since).order_by().values("row_id").annotate(last=Max("id")).values("last")
    found = _by_row(steps.filter(Q(at__gte=since) | Q(id__in=last_before)))
    in_doubt = [row_id for row_id, of_row in found.items() if any(b.at < a.at for a, b in pairwise(of_row))]
    return found | _by_row(Transition.objects.steps().filter(row__id__among=in_doubt)) if in_doubt else found


def _by_row(steps: TransitionQuerySet) -> dict[str, list[Step]]:
    rows: list[_Row] = list(_rows(steps.order_by("row_id", "id"))[: MOST_STEPS + 1])
    of_rows = groupby(rows if len(rows) <= MOST_STEPS else _newest_of_each(steps), itemgetter(0))
    return {row_id: [Step(at, host, state) for _, at, host, state in of_row] for row_id, of_row in of_rows}


def _newest_of_each(steps: TransitionQuerySet) -> Iterator[_Row]:
    """Yield the newest steps of each row, row by row. Only rows that have too many are read one by one."""
    counts = dict(steps.order_by().values_list("row_id").annotate(Count("id")))
    few = [row_id for row_id, count in counts.items() if count <= MOST_STEPS]
    yield from _rows(steps.filter(row__id__among=few).order_by("row_id", "id"))
    for row_id in counts.keys() - set(few):
        yield from reversed(_rows(steps.filter(row=row_id).order_by("-id"))[:MOST_STEPS])


def _rows(steps: TransitionQuerySet) -> "QuerySet[Transition, _Row]":
    return steps.values_list("row_id", "at", "host_id", "to_state")
