"""What it costs a pass that the feed is in the order of its commits: passes with the feed's lock, and without."""

import statistics
import sys
import time
from unittest import mock

from bench.fleet_world import Daemons, analyse, empty_database, host_name, make_rows
from bench.world import database, django_in, end_in_order, short_directory

CONTAINERS = 100
CHANGING_SHARE = 0.1
PAIRS = 201
ALLOWED_RATIO = 1.05
"""How much longer a pass that changes something may take with the lock."""


def measure(daemons: Daemons) -> bool:
    """Print how long the passes take; return whether the lock costs no more than is allowed."""
    from django.conf import settings

    # inspects would hide what is measured
    settings.INSPECT_MOST = 0
    empty_database()
    make_rows(daemons)
    _pass_ms(daemons)
    analyse()
    pairs = []
    for number in range(PAIRS):
        # by turns, so that neither is always the first
        first, second = (_pass_ms(daemons, with_lock=(number + each) % 2 == 0) for each in (0, 1))
        pairs.append((first, second) if number % 2 == 0 else (second, first))
    ratio = statistics.median(locked / free for locked, free in pairs)
    print(
        f"one host, {CONTAINERS} containers, {CHANGING_SHARE:.0%} of them changed; medians of {PAIRS} pairs of passes\n"
    )
    print(f"{'with the lock':20} {statistics.median(locked for locked, _ in pairs):>8.2f} ms")
    print(f"{'without':20} {statistics.median(free for _, free in pairs):>8.2f} ms")
    print(f"the lock makes a pass {ratio:.3f} times as long; allowed: {ALLOWED_RATIO:g} times")
    return ratio <= ALLOWED_RATIO


def _pass_ms(daemons: Daemons, *, with_lock: bool = True) -> float:
    from reconciler import feed
    from reconciler.conf import engine_of
    from reconciler.core.report import Trigger
    from reconciler.models import Host
    from reconciler.reconcile import reconcile

    host = Host.objects.get(name=host_name(0))
    daemons.change(CHANGING_SHARE)
    lock = feed._lock_out_other_writers if with_lock else lambda: None
    with mock.patch.object(feed, "_lock_out_other_writers", lock):
        started = time.perf_counter()
        report = reconcile(host, engine_of(host), trigger=Trigger.MANUAL)
        lasted = time.perf_counter() - started
    if report.outcome != "applied" or not report.changes:
        raise RuntimeError(report.error or "nothing has changed")
    return lasted * 1000


def main() -> int:
    """Measure on the database that BENCH_DATABASE names."""
    end_in_order()
    with short_directory() as directory, database(directory) as url, django_in(url), Daemons(1, CONTAINERS) as daemons:
        return 0 if measure(daemons) else 1


if __name__ == "__main__":
    sys.exit(main())
