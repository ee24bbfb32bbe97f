"""The pages over 10,000 rows on 100 hosts with 1,000,000 transitions: each made anew, and polled in vain."""

import statistics
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from bench.uptime import DAYS, HOSTS, ROWS, TRANSITIONS, fill
from bench.world import database, django_in, end_in_order, short_directory

REPEATS = 7
SICK_EVERY = 200
OLD_INCIDENTS = 20_000
"""So many are over; of each row that is in trouble, one stands."""
FIRST_MS, OTHER_MS, POLL_MS = 300, 200, 20
FLAPPING, FLAPS = "flapping", 250_000
PAGES = {
    "/": FIRST_MS,
    "/?trouble=any": FIRST_MS,
    "/?q=shop-77": FIRST_MS,
    "/containers": OTHER_MS,
    "/containers?q=shop-77&page=2": OTHER_MS,
    "/containers/shop-7:web@host-7": OTHER_MS,
    "/workloads/shop-7": OTHER_MS,
    f"/containers/{FLAPPING}:web@host-7": OTHER_MS,
    f"/workloads/{FLAPPING}": OTHER_MS,
    "/hosts/host-7": OTHER_MS,
    "/incidents/20001": OTHER_MS,
    "/changes": OTHER_MS,
    "/changes?host=host-7": OTHER_MS,
}


def fill_world() -> None:
    """Make rows with their history, a workload for each, and some that are in trouble."""
    from django.db import connection
    from django.utils import timezone

    from reconciler.models import Container, Host, Workload

    until = timezone.now()
    fill(until - timedelta(days=DAYS), until)
    names = [f"shop-{number}" for number in range(ROWS)]
    Workload.objects.bulk_create((Workload(id=name, ref_id=name, name=name) for name in names), batch_size=5_000)
    _fill_flapping(until)
    sick = [f"shop-{n}:web@host-{n % HOSTS}" for n in range(0, ROWS, SICK_EVERY)]
    Container.objects.filter(id__in=sick).update(state="missing")
    fill_incidents(sick, until)
    Host.objects.filter(name="host-1").update(last_error="connection refused", failures=3)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    see_all_hosts()


def fill_incidents(sick: list[str], until: datetime) -> None:
    """Let people be told of these rows, and have been told of many others."""
    from alerts.models import Channel, Delivery, Incident, Silence

    channel = Channel.objects.create(name="ops", kind="email")
    times = {"since": until, "opened_at": until, "fires_at": until, "fired_at": until}
    given = {"condition": "missing", "severity": "page", "ordinal": 1, **times}
    old = (
        Incident(subject=f"shop-{n % ROWS}:web@host-{n % HOSTS}", phase="resolved", resolved_at=until, **given)
        for n in range(OLD_INCIDENTS)
    )
    stands = [Incident(subject=row, host=row.partition("@")[2], phase="firing", **given) for row in sick]
    made = [*Incident.objects.bulk_create(old, batch_size=5_000), *Incident.objects.bulk_create(stands)]
    told = (
        Delivery(
            incident=each, phase="firing", channel=channel, ordinal=1, severity="page", made_at=until, state="sent"
        )
        for each in made
    )
    Delivery.objects.bulk_create(told, batch_size=5_000)
    Silence.objects.create(host="host-7", begins_at=until, ends_at=until + timedelta(hours=1))


def _fill_flapping(until: datetime) -> None:
    """Make a row that has changed each second, for days."""
    from django.db import connection

    from reconciler.models import Container, Workload

    Workload.objects.create(id=FLAPPING, ref_id=FLAPPING, name="Flapping")
    row = Container.objects.create(
        id=f"{FLAPPING}:web@host-7",
        workload_id=FLAPPING,
        role="web",
        container_id="f" * 64,
        host_id="host-7",
        state="running",
    )
    with connection.cursor() as cursor:
        cursor.execute(_FLAP, {"row": row.id, "workload": FLAPPING, "until": until, "flaps": FLAPS})


_FLAP = """
    INSERT INTO reconciler_transition (
        row_id, host_id, workload_id, kind, is_step, from_state, to_state, from_health, to_health, container_id, at,
        cause, trigger, restarts
    )
    SELECT %(row)s, 'host-7', %(workload)s, 'container', true, '',
        CASE WHEN n %% 2 = 0 THEN 'running' ELSE 'stopped' END, '', '', '', %(until)s - n * interval '1 second',
        'state running → stopped', 'event', 0
    FROM generate_series(%(flaps)s, 1, -1) n
"""


def see_all_hosts() -> None:
    """Let every host but one have been seen just now, as passes do."""
    from django.utils import timezone

    from reconciler.models import Host

    Host.objects.exclude(name="host-1").update(last_success_at=timezone.now())


def measure() -> bool:
    """Print how long each page takes; return whether none takes longer than is allowed."""
    print(f"{ROWS:,} rows on {HOSTS} hosts, {TRANSITIONS:,} transitions; medians of {REPEATS}\n")
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

    from web.pages.live import RENDERINGS

    person = Client(headers={"Host": "localhost"})
    person.force_login(get_user_model().objects.create_superuser("bench"))

    def anew(path: str) -> Callable[[], object]:
        def act() -> None:
            RENDERINGS.forget()
            _expect(200, person.get(path))

        return act

    def polled() -> Callable[[], object]:
        headers = {"Accept": "application/json"}
        tag = _expect(200, person.get("/", headers=headers))["ETag"]
        return lambda: _expect(304, person.get("/", headers=headers | {"If-None-Match": tag}))

    acts: dict[str, tuple[Callable[[], object], int | None]] = {
        path: (anew(path), allowed) for path, allowed in PAGES.items()
    }
    acts["a poll of / that finds nothing new"] = (polled(), POLL_MS)
    acts["the admin's list, 100 rows"] = (lambda: _expect(200, person.get("/admin/reconciler/container/")), None)
    return acts


def _expect(status: int, answer: Any) -> Any:
    if answer.status_code != status:
        raise RuntimeError(f"{answer.status_code}: {answer.content[:200]!r}")
    return answer


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
