"""The uptime of 10,000 rows over 30 days with 1,000,000 transitions, and the timelines of a page of workloads."""

import statistics
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from bench.world import database, django_in, end_in_order, short_directory

ROWS, TRANSITIONS, HOSTS, OUTAGES, DAYS = 10_000, 1_000_000, 100, 30, 30
REPEATS = 5
SOME = 100
ALLOWED_MS, ALLOWED_RATIO = 2_000, 7
"""What it may take on a quiet machine; and how many times as long as the bare count, on one that has other work."""

_FILL = (
    """
    INSERT INTO reconciler_transition (
        row_id, host_id, workload_id, kind, is_step, from_state, to_state, from_health, to_health, container_id, at,
        cause, trigger, restarts
    )
    SELECT
        'shop-' || n %% %(rows)s || ':web@host-' || n %% %(hosts)s, 'host-' || n %% %(hosts)s,
        'shop-' || n %% %(rows)s, 'container', true, '',
        CASE WHEN n / %(rows)s %% 2 = 0 THEN 'running' ELSE 'stopped' END, '', '', md5(n::text) || md5((-n)::text),
        %(since)s + n * (%(until)s - %(since)s) / %(transitions)s, 'state running → stopped, exit_code none → 137',
        'event', 0
    FROM generate_series(0, %(transitions)s - 1) n
    """,
    """
    INSERT INTO reconciler_outage (host_id, kind, began_at, noticed_at, ended_at, reason)
    SELECT
        'host-' || n %% %(hosts)s, 'unreachable', began_at, began_at + interval '30 seconds',
        began_at + interval '10 minutes' * random() + interval '1 minute', 'sent nothing for 10 s'
    FROM generate_series(0, %(hosts)s * %(outages)s - 1) n,
    LATERAL (SELECT %(since)s + (n / %(hosts)s + random() / 2) * (%(until)s - %(since)s) / %(outages)s AS began_at) b
    """,
)


def measure(since: datetime, until: datetime) -> bool:
    """Print how long it takes; return whether it takes no longer than is allowed, and is right."""
    from reconciler.models import Container, timelines_of_workloads, uptime_of_all_rows, uptime_of_rows

    row_ids = list(Container.objects.values_list("id", flat=True)[:SOME])
    workloads = [row_id.partition(":")[0] for row_id in row_ids]
    acts: dict[str, Callable[[], object]] = {
        "a bare count of the steps of each row": _count,
        f"uptime of all {ROWS:,} rows": lambda: uptime_of_all_rows(since, until),
        f"timelines of {SOME} workloads, 30 days": lambda: timelines_of_workloads(workloads, since, until),
        f"timelines of {SOME} workloads, 24 hours": lambda: timelines_of_workloads(
            workloads, until - timedelta(days=1), until
        ),
    }
    print(f"{ROWS:,} rows on {HOSTS} hosts, {TRANSITIONS:,} transitions in {DAYS} days; medians of {REPEATS}\n")
    medians = {what: statistics.median(_ms(act) for _ in range(REPEATS)) for what, act in acts.items()}
    bare, whole, *_ = medians.values()
    for what, median in medians.items():
        print(f"{what:40} {median:>8.1f} ms {median / bare:>8.2f} times the bare count")
    print(f"\nall rows: allowed are {ALLOWED_MS:,} ms, or {ALLOWED_RATIO} times the bare count if that is more")
    every, some = uptime_of_all_rows(since, until), uptime_of_rows(row_ids, since, until)
    wrong = [row_id for row_id in row_ids if abs(every[row_id].up - some[row_id].up) > timedelta(milliseconds=1)]
    print(f"{SOME - len(wrong)} of {SOME} rows are the same if their steps are added up one by one")
    return whole <= max(ALLOWED_MS, ALLOWED_RATIO * bare) and not wrong


def _count() -> object:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT row_id, count(*), max(at) FROM reconciler_transition WHERE is_step GROUP BY row_id")
        return cursor.fetchall()


def fill(since: datetime, until: datetime, *, rows: int = ROWS, hosts: int = HOSTS) -> None:
    """Fill the database with rows on hosts, and with their history."""
    from django.db import connection

    values: dict[str, Any] = {"since": since, "until": until, "hosts": hosts, "rows": rows, "outages": OUTAGES}
    _fill_rows(until, rows, hosts)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        connection.connection.answer_seconds = None
        for statement in _FILL:
            cursor.execute(statement, values | {"transitions": TRANSITIONS})
        # as autovacuum does in the course of 30 days
        cursor.execute("VACUUM ANALYZE")


def _fill_rows(until: datetime, rows: int, hosts: int) -> None:
    from reconciler.models import Condition, Container, Host

    names = [f"host-{number}" for number in range(hosts)]
    Host.objects.bulk_create(Host(name=name, last_success_at=until, condition_told=Condition.FRESH) for name in names)
    Container.objects.bulk_create(
        (
            Container(
                id=f"shop-{number}:web@host-{number % hosts}",
                workload_id=f"shop-{number}",
                workload_kind="project",
                role="web",
                container_id=f"{number:064x}",
                image_ref="shop:1",
                host_id=f"host-{number % hosts}",
                state="running",
                details_state="told",
            )
            for number in range(rows)
        ),
        batch_size=5_000,
    )


def _ms(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1000


def main() -> int:
    """Measure on PostgreSQL, which BENCH_DATABASE has to name."""
    end_in_order()
    with short_directory() as directory, database(directory) as url, django_in(url):
        from django.utils import timezone

        until = timezone.now()
        since = until - timedelta(days=DAYS)
        fill(since, until)
        return 0 if measure(since, until) else 1


if __name__ == "__main__":
    sys.exit(main())
