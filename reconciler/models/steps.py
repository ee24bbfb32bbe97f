"""The steps of many rows' histories, as far back as a span asks for."""

import json
from collections.abc import Collection
from datetime import datetime
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any

from django.db import connection
from django.db.models import Max, Q

from reconciler.core.uptime import Step
from reconciler.models.transition import Transition, TransitionQuerySet

MOST_STEPS = 3_000
"""How many steps of a row count, the newest ones. What a row that has more showed before these is not known."""

# for each row the entry that is one too many: it is looked for from the newest on, and no further than that
_TOO_MANY = """
SELECT row_id FROM (SELECT value AS row_id FROM {texts}) AS rows_asked
WHERE (
    SELECT id FROM reconciler_transition AS t
    WHERE t.row_id = rows_asked.row_id AND kind = 'container' AND is_step
    ORDER BY id DESC LIMIT 1 OFFSET %s
) IS NOT NULL
"""


def steps_of(row_ids: Collection[str], since: datetime) -> dict[str, list[Step]]:
    """Return the steps from which follows what each of these rows showed from a moment on, in commit order.

    These are the steps since then, and the last one before. Only where a clock was wrong do others matter, too.
    """
    many = _with_too_many(row_ids)
    steps = Transition.objects.steps().filter(row__id__among=sorted(set(row_ids) - many))
    last_before = steps.filter(at__lt=since).order_by().values("row_id").annotate(last=Max("id")).values("last")
    found = _by_row(steps.filter(Q(at__gte=since) | Q(id__in=last_before)))
    in_doubt = [row_id for row_id, of_row in found.items() if any(b.at < a.at for a, b in pairwise(of_row))]
    if in_doubt:
        found |= _by_row(Transition.objects.steps().filter(row__id__among=in_doubt))
    return found | {row_id: _newest(row_id) for row_id in sorted(many)}


def _with_too_many(row_ids: Collection[str]) -> set[str]:
    """Return those of these rows that have more steps than count."""
    is_sqlite, ids = connection.vendor == "sqlite", list(row_ids)
    texts = "json_each(%s)" if is_sqlite else "unnest(%s::text[]) AS asked (value)"
    with connection.cursor() as cursor:
        cursor.execute(_TOO_MANY.format(texts=texts), [json.dumps(ids) if is_sqlite else ids, MOST_STEPS])
        return {row_id for (row_id,) in cursor.fetchall()}


def _by_row(steps: TransitionQuerySet) -> dict[str, list[Step]]:
    rows: Any = steps.order_by("row_id", "id").values_list("row_id", "at", "host_id", "to_state")
    return {row_id: [Step(*step) for _, *step in of_row] for row_id, of_row in groupby(rows, itemgetter(0))}


def _newest(row_id: str) -> list[Step]:
    """Return as many of a row's steps as count. Only rows that have too many are read one by one."""
    newest: Any = Transition.objects.steps().filter(row=row_id).order_by("-id").values_list("at", "host_id", "to_state")
    return [Step(*step) for step in reversed(newest[:MOST_STEPS])]
