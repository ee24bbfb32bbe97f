"""The admin, the search of history and `status` over 100,000 rows on 1,000 hosts with 1,000,000 transitions."""

import statistics
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from bench.uptime import DAYS, TRANSITIONS, fill
from bench.world import database, django_in, end_in_order, short_directory

ROWS, HOSTS = 100_000, 1_000
REPEATS = 5
LOOPS, RESTARTS = 50, 5
ALLOWED_MS = 300
CONTAINERS, HISTORY = "/admin/reconciler/container/", "/admin/reconciler/transition/"
PAGES = {
    "the admin's restart loops": f"{CONTAINERS}?truth=looping",
    "the admin's search of containers": f"{CONTAINERS}?q=shop-777",
    "the admin's page 500 of containers": f"{CONTAINERS}?p=500",
    "the admin's search of history": f"{HISTORY}?q=shop-777",
    "a search of changes that finds nothing": "/changes?q=nowhere",
}
BESIDE = {"the admin's list, 100 rows": CONTAINERS, "the admin's history, 100 steps": HISTORY}


def fill_world() -> None:
    """Make rows with their history, as it is when all hosts have just been seen for the first time."""
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.utils import timezone

    until = timezone.now()
    fill(until - timedelta(days=DAYS), until, rows=ROWS, hosts=HOSTS)
    with connection.cursor() as cursor:
        for statement in _LATELY:
            cursor.execute(statement, {"until": until, "rows": ROWS, "loops": LOOPS, "restarts": RESTARTS})
        cursor.execute("VACUUM ANALYZE")
    get_user_model().objects.create_superuser("bench")


# every row had a step within the last minutes, and some are in a restart loop
_LATELY = (
    """
    INSERT INTO reconciler_workload (id, kind, ref_id, name)
    SELECT 'shop-' || n, 'project', 'shop-' || n, 'Shop ' || n FROM generate_series(0, %(rows)s - 1) n
    """,
    """
    UPDATE reconciler_transition SET at = %(until)s - random() * interval '5 minutes'
    WHERE id > (SELECT max(id) FROM reconciler_transition) - %(rows)s
    """,
    """
    INSERT INTO reconciler_transition (
        row_id, host_id, workload_id, kind, is_step, from_state, to_state, from_health, to_health, container_id, at,
        cause, trigger, restarts
    )
    SELECT id, host_id, workload_id, 'container', true, 'running', 'running', '', '', container_id,
        %(until)s - n * interval '20 seconds', 'restarted', 'event', 1
    FROM generate_series(1, %(restarts)s) n,
    (SELECT * FROM reconciler_container ORDER BY md5(id) LIMIT %(loops)s) r
    """,
)


def measure() -> bool:
    """Print how long each takes; return whether none takes longer than is allowed."""
    print(f"{ROWS:,} rows on {HOSTS:,} hosts, {TRANSITIONS:,} transitions; medians of {REPEATS}\n")
    kept = True
    for what, (act, allowed) in _acts().items():
        act()
        median = statistics.median(_ms(act) for _ in range(REPEATS))
        kept &= allowed is None or median <= allowed
        print(f"{what:44} {median:>8.1f} ms" + (f"   allowed: {allowed:,} ms" if allowed else ""))
    return kept


def _acts() -> dict[str, tuple[Callable[[], object], int | None]]:
    from django.contrib.auth import get_user_model
    from django.test import Client
    from django.utils import timezone

    from reconciler.status import statuses
    from web.pages.live import RENDERINGS

    person = Client(headers={"Host": "localhost"})
    person.force_login(get_user_model().objects.get(username="bench"))

    def page(path: str) -> Callable[[], object]:
        def act() -> None:
            RENDERINGS.forget()
            _expect(200, person.get(path))

        return act

    acts: dict[str, tuple[Callable[[], object], int | None]] = {
        "the status of all hosts": (lambda: statuses(timezone.now()), ALLOWED_MS)
    }
    acts |= {what: (page(path), ALLOWED_MS) for what, path in PAGES.items()}
    return acts | {what: (page(path), None) for what, path in BESIDE.items()}


def _expect(status: int, answer: Any) -> None:
    if answer.status_code != status:
        raise RuntimeError(f"{answer.status_code}: {answer.content[:200]!r}")


def _ms(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1000


def main() -> int:
    """Measure on PostgreSQL, which BENCH_DATABASE has to name."""
    end_in_order()
    with short_directory() as directory, database(directory) as url, django_in(url):
        fill_world()
        return 0 if measure() else 1


if __name__ == "__main__":
    sys.exit(main())
