"""Listing and pass for 100, 1,000 and 10,000 containers, first fill and steady, beside the baseline."""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench.world import daemon, database, django_in, end_in_order, fill_catalogue, short_directory

SIZES = (100, 1_000, 10_000)
REPEATS = 9
ALLOWED_RATIOS = {1_000: 2.5, 10_000: 2.0}
"""How many times as long as the listing request and its decoding a steady pass on SQLite may take."""


def measure(directory: Path) -> bool:
    """Print the table; return whether the steady passes keep within the ratios allowed."""
    print(f"{'containers':>10}  {'':10} {'listing':>10} {'pass':>10} {'÷ listing':>10} {'baseline':>12} {'ratio':>8}")
    kept = True
    for size in SIZES:
        fill_catalogue(size)
        with daemon(directory, size) as url:
            kept &= _measure_size(size, url)
    return kept


def _measure_size(size: int, url: str) -> bool:
    from django.db.models import F

    from bench.baseline import straightforward_pass
    from reconciler.core.last_inspect import DetailsState
    from reconciler.core.report import Trigger
    from reconciler.engine import Engine
    from reconciler.models import Container, Host
    from reconciler.reconcile import reconcile

    host = Host.objects.get(name="local")
    engine = Engine(host="local", url=url, timeout_seconds=60)

    def one_pass() -> None:
        report = reconcile(host, engine, trigger=Trigger.MANUAL)
        if report.outcome != "applied":
            raise RuntimeError(report.error)

    engine.listing()
    listing = _median_ms(engine.listing)
    first = _ms(one_pass)
    # as if the passes had been made that inspect them all, a hundred at a time
    Container.objects.update(details_of=F("container_id"), details_state=DetailsState.TOLD)
    steady_pairs = [(_ms(engine.listing), _ms(one_pass)) for _ in range(REPEATS)]
    steady = statistics.median(made for _, made in steady_pairs)
    ratio = statistics.median(made / listed for listed, made in steady_pairs)
    rows = Container.objects.count()
    Container.objects.all().delete()
    first_baseline = _ms(lambda: straightforward_pass(url))
    steady_baseline = _ms(lambda: straightforward_pass(url))
    if Container.objects.count() != rows:
        raise RuntimeError("the baseline made other rows than the pass")
    for phase, made, times_listing, plain in (
        ("first fill", first, first / listing, first_baseline),
        ("steady", steady, ratio, steady_baseline),
    ):
        times = f"{listing:>7.1f} ms {made:>7.1f} ms {times_listing:>8.2f}× {plain:>9.1f} ms"
        print(f"{size:>10,}  {phase:10} {times} {plain / made:>7.1f}×")
    allowed = ALLOWED_RATIOS.get(size)
    if allowed is not None:
        print(f"{'':10}  a steady pass takes {ratio:.2f} × listing and decoding; allowed: {allowed:g} ×")
    return allowed is None or ratio <= allowed


def _median_ms(act: Callable[[], object]) -> float:
    return statistics.median(_ms(act) for _ in range(REPEATS))


def _ms(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1000


def main() -> int:
    """Measure on SQLite."""
    end_in_order()
    with short_directory() as directory, database(directory) as url, django_in(url):
        return 0 if measure(directory) else 1


if __name__ == "__main__":
    sys.exit(main())
