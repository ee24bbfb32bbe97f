"""The uptime of all rows at once, reckoned by PostgreSQL."""

from datetime import timedelta
from typing import Any

from django.db import connection, transaction

from reconciler.core.observation import RUNNING
from reconciler.core.uptime import ABSENT_STATES, Span, Uptime
from reconciler.models.blind import Blind

# All times are in seconds since the beginning of the span. `known` is for how long, up to a step, its host could be
# seen; so what is known of the time between two steps is the difference of two such numbers, and one that is negative
# tells of a wrong clock. The steps come from an index alone, in the order of their commits: of each row all since the
# first entry of the span, and the one before. ORDER BY also keeps PostgreSQL from working out a number anew wherever
# it is used. Half a microsecond is less than two moments can differ, and more than what floats lose.
_RECKON = """
WITH blind AS MATERIALIZED (
    SELECT
        host,
        array_agg(a ORDER BY a) AS begins,
        array_agg(b ORDER BY a) AS ends,
        array_agg(c ORDER BY a) AS sums,
        sum(b - a) AS total
    FROM unnest(%(hosts)s::text[], %(begins)s::float8[], %(ends)s::float8[], %(sums)s::float8[]) AS t (host, a, b, c)
    GROUP BY host
), first AS MATERIALIZED (
    SELECT coalesce(min(id + 0), 9223372036854775807) AS id FROM reconciler_transition WHERE at >= %(since)s
), of_rows AS (
    SELECT id, host_id FROM reconciler_container
    UNION ALL
    SELECT row_id, max(host_id) FROM reconciler_transition
    WHERE kind = 'container' AND to_state = 'gone' AND at >= %(since)s
    AND NOT EXISTS (SELECT 1 FROM reconciler_container WHERE reconciler_container.id = row_id)
    GROUP BY row_id
)
SELECT r.id, coalesce(up, 0), coalesce(down, 0), coalesce(doubtful, false)
FROM (SELECT * FROM of_rows LEFT JOIN blind ON host = host_id) r
CROSS JOIN LATERAL (
    SELECT
        sum(until - known) FILTER (WHERE to_state = %(running)s) AS up,
        sum(until - known) FILTER (WHERE to_state <> ALL (%(neither)s)) AS down,
        bool_or(until - known < -5e-7 OR elsewhere) OR count(*) > %(most)s AS doubtful
    FROM (
        SELECT *, lead(known, 1, %(end)s - coalesce(r.total, 0)) OVER (ORDER BY id) AS until
        FROM (
            SELECT *, shown - coalesce(r.sums[i] + least(shown, r.ends[i]) - r.begins[i], 0) AS known
            FROM (
                SELECT *, width_bucket(shown, r.begins) AS i
                FROM (
                    SELECT
                        id,
                        to_state,
                        host_id <> r.host_id AS elsewhere,
                        least(greatest(date_part('epoch', at - %(since)s), 0), %(end)s) AS shown
                    FROM reconciler_transition
                    WHERE row_id = r.id AND kind = 'container' AND is_step
                    AND id >= coalesce((
                        SELECT max(id) FROM reconciler_transition
                        WHERE row_id = r.id AND kind = 'container' AND is_step AND id < (SELECT id FROM first)
                    ), 0)
                    ORDER BY id
                    LIMIT %(most)s + 1
                ) moments
                ORDER BY id
            ) places
            ORDER BY id
        ) steps
    ) spans
) added_up
"""


def reckon(span: Span, seen: Span, blind: Blind, most: int) -> tuple[dict[str, Uptime], list[str]]:
    """Return the uptime of all rows, and the ids of those whose steps have to be looked at one by one.

    These are rows whose steps are not in the order of their moments, because a clock was wrong, as far as this matters,
    rows that came from another host, and rows with more than `most` steps. `seen` is the part of the span that is not
    in the future.
    """
    whole, begin = span.end - span.begin, span.begin
    values: dict[str, Any] = {"since": begin, "end": (seen.end - begin).total_seconds(), "running": RUNNING}
    values |= {"neither": [RUNNING, *ABSENT_STATES], "most": most} | _columns(blind, begin)
    with transaction.atomic(), connection.cursor() as cursor:
        # to compile a query that takes a second takes another one
        cursor.execute("SET LOCAL jit = off")
        cursor.execute(_RECKON, values)
        rows = cursor.fetchall()
    found: dict[str, Uptime] = {}
    for row_id, up_seconds, down_seconds, _ in rows:
        up, down = timedelta(seconds=up_seconds), timedelta(seconds=down_seconds)
        found[row_id] = Uptime(up=up, down=down, unknown=whole - up - down)
    return found, [row_id for row_id, *_, doubtful in rows if doubtful]


def _columns(blind: Blind, begin: Any) -> dict[str, list[Any]]:
    """Return when hosts could not be seen, as columns; `sums` is how long each could not be seen before."""
    columns: dict[str, list[Any]] = {"hosts": [], "begins": [], "ends": [], "sums": []}
    for host, spans in blind.items():
        total = 0.0
        for dark in spans:
            first, last = ((moment - begin).total_seconds() for moment in dark)
            for name, value in zip(columns, (host, first, last, total), strict=True):
                columns[name].append(value)
            total += last - first
    return columns
