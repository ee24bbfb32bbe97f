"""The API over 10,000 rows: a page, the same page unchanged, the whole list; beside the admin's list."""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.world import daemon, database, django_in, end_in_order, fill_catalogue, short_directory

ROWS = 10_000
REPEATS = 21
PAGE = "/api/v1/containers?limit=1000"
ALLOWED_MS = {
    "a page of 1,000 containers": 50,
    "the same, unchanged: 304": 20,
    "all containers, by pages of 1,000": 1_000,
}


def measure(directory: Path) -> bool:
    """Print how long the answers take; return whether they keep within what is allowed."""
    _fill(directory)
    kept = True
    for what, act in _acts().items():
        act()
        median = statistics.median(_ms(act) for _ in range(REPEATS))
        allowed = ALLOWED_MS.get(what)
        kept &= allowed is None or median <= allowed
        print(f"{what:36} {median:>8.1f} ms" + (f"   allowed: {allowed:,} ms" if allowed else ""))
    return kept


def _fill(directory: Path) -> None:
    """Have a pass make the rows, and the history that each has then."""
    from django.db import connection

    from reconciler.core.report import Trigger
    from reconciler.engine import Engine
    from reconciler.models import Container, Host
    from reconciler.reconcile import reconcile

    fill_catalogue(ROWS)
    with daemon(directory, ROWS) as url:
        reconcile(
            Host.objects.get(name="local"), Engine(host="local", url=url, timeout_seconds=60), trigger=Trigger.BOOT
        )
    if Container.objects.count() != ROWS:
        raise RuntimeError("the pass did not make a row for each container")
    with connection.cursor() as cursor:
        # autovacuum does so within a minute
        cursor.execute("ANALYZE")


def _acts() -> dict[str, Callable[[], object]]:
    """Return what is measured, each as a request from the first middleware to the last byte."""
    from django.contrib.auth import get_user_model
    from django.test import Client

    from web.models import Scope, Token

    _, token = Token.objects.issue("bench", Scope.READ)
    program = Client(headers={"Authorization": f"Bearer {token}", "Host": "localhost"})
    person = Client(headers={"Host": "localhost"})
    person.force_login(get_user_model().objects.create_superuser("bench"))
    tag = program.get(PAGE)["ETag"]
    return {
        "a page of 1,000 containers": lambda: _expect(200, program.get(PAGE)),
        "the same, unchanged: 304": lambda: _expect(304, program.get(PAGE, headers={"If-None-Match": tag})),
        "all containers, by pages of 1,000": lambda: _all_pages(program),
        "all workloads, a page of 1,000": lambda: _expect(200, program.get("/api/v1/workloads?limit=1000")),
        "one host, with its counts": lambda: _expect(200, program.get("/api/v1/hosts/local")),
        "the admin's list, 100 rows": lambda: _expect(200, person.get("/admin/reconciler/container/")),
    }


def _all_pages(program: Any) -> None:
    after: str | None = ""
    rows = 0
    while after is not None:
        page = _expect(200, program.get(PAGE, {"limit": 1000} | ({"after": after} if after else {}))).json()
        after, rows = page["next"], rows + len(page["items"])
    if rows != ROWS:
        raise RuntimeError(f"the pages have {rows} rows")


def _expect(status: int, answer: Any) -> Any:
    if answer.status_code != status:
        raise RuntimeError(f"{answer.status_code}: {answer.content[:200]!r}")
    return answer


def _ms(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1000


def main() -> int:
    """Measure on the database that BENCH_DATABASE names."""
    end_in_order()
    with short_directory() as directory, database(directory) as url, django_in(url):
        return 0 if measure(directory) else 1


if __name__ == "__main__":
    sys.exit(main())
