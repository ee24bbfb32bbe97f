"""Passes over a host with 10,000 containers of which 100 have changed: with inspects that fail at random, and without.

They are compared with the straightforward pass, which inspects every container and gives up when one inspect fails.
Then passes over 1,000 containers whose inspects all fail, compared with passes that have nothing to inspect.
"""

import statistics
import sys
import time
from collections.abc import Collection

from bench.fleet_world import Daemons, analyse, empty_database, host_name, make_rows, untruths
from bench.world import database, django_in, end_in_order, short_directory

CONTAINERS = 10_000
CHANGING_SHARE = 0.01
FAILING_SHARE = 0.3
REPEATS = 5
MOST_FOLLOWING = 10
"""Passes after one whose inspects failed, until every detail that it owes is there."""
IN_VAIN_CONTAINERS = 1_000
IN_VAIN_REPEATS = 61
ALLOWED_RATIO_IN_VAIN = 1.2
"""How much longer a pass may take that owes the details of every container, none of which can be inspected."""
ALLOWED_RATIO = 2.0
"""How much longer a pass may take whose inspects fail."""


def measure(daemons: Daemons) -> list[str]:
    """Print how long the passes take and whether the rows are right; return what was promised and not kept."""
    from reconciler.core.last_inspect import DetailsState

    empty_database()
    make_rows(daemons)
    first = _pass_ms()
    analyse()
    # as if the passes had been made that inspect ten thousand containers, a hundred at a time
    _set_details(DetailsState.TOLD)
    print(f"one host, {CONTAINERS:,} containers; medians of {REPEATS} passes\n")
    _print("first fill", first)
    _print("none changed", statistics.median(_pass_ms() for _ in range(REPEATS)))
    failing_share = f"{FAILING_SHARE:.0%} of inspects fail"
    sound, missed = _changing(daemons, "all inspects answered")
    daemons.fail_inspects(FAILING_SHARE)
    failing, missed_failing = _changing(daemons, failing_share)
    _straightforward(daemons, failing_share, failing)
    daemons.heal()
    _straightforward(daemons, "all answered", sound)
    if failing > ALLOWED_RATIO * sound:
        missed.append(f"failing inspects make a pass {failing / sound:.1f} times as long; allowed: {ALLOWED_RATIO:g}")
    return missed + missed_failing


def measure_in_vain(daemons: Daemons) -> list[str]:
    """Print what inspects cost that all fail, pass after pass; return what was promised and not kept."""
    from reconciler.core.last_inspect import DetailsState

    empty_database()
    make_rows(daemons)
    _pass_ms()
    daemons.fail_inspects(1)
    pairs = []
    for _ in range(IN_VAIN_REPEATS):
        _set_details(DetailsState.TOLD)
        without = _pass_ms()
        _set_details(DetailsState.OWED)
        pairs.append((without, _pass_ms()))
    ratio = statistics.median(failing / without for without, failing in pairs)
    print(f"\none host, {daemons.containers:,} containers; medians of {IN_VAIN_REPEATS} pairs of passes\n")
    _print("none changed, nothing to inspect", statistics.median(without for without, _ in pairs))
    limit = f"{ratio:.2f}× as long; allowed: {ALLOWED_RATIO_IN_VAIN:g}×"
    _print("none changed, all to inspect, all fail", statistics.median(failing for _, failing in pairs), limit)
    if ratio > ALLOWED_RATIO_IN_VAIN:
        return [f"inspects in vain make a pass {ratio:.2f} times as long; allowed: {ALLOWED_RATIO_IN_VAIN:g}"]
    return []


def _set_details(state: str) -> None:
    """Let the details of every container stand like this."""
    from django.db.models import F

    from reconciler.models import Container

    Container.objects.update(details_of=F("container_id"), details_state=state)


def _changing(daemons: Daemons, what: str) -> tuple[float, list[str]]:
    """Make passes after changes and print them; return the median of their times, and what is wrong."""
    times, right, owed, following, missed = [], [], [], [], []
    for _ in range(REPEATS):
        (changed,) = daemons.change(CHANGING_SHARE)
        times.append(_pass_ms())
        right.append(_right(daemons, changed))
        missed += untruths(daemons.states(), {})
        owed.append(_owed())
        following.append(_passes_until_nothing_is_owed())
    details = f"{statistics.median(owed):.0f} still without details, which came within {max(following)} passes"
    _print(f"{len(changed)} changed, {what}", statistics.median(times), f"{min(right)} right; {details}")
    if max(following) > MOST_FOLLOWING:
        missed.append(f"details are owed still after {MOST_FOLLOWING} passes")
    return statistics.median(times), missed


def _right(daemons: Daemons, container_ids: Collection[str]) -> int:
    """Count the containers whose rows say what the daemon says."""
    from reconciler.models import Container

    (states,) = daemons.states()
    found = Container.objects.filter(container_id__among=list(container_ids)).values_list("container_id", "state")
    return sum(states[container_id] == state for container_id, state in found)


def _owed() -> int:
    from reconciler.models import Container

    return Container.objects.filter(details_state="owed").count()


def _passes_until_nothing_is_owed() -> int:
    for number in range(MOST_FOLLOWING + 1):
        if not _owed():
            return number
        _pass_ms()
    return MOST_FOLLOWING + 1


def _straightforward(daemons: Daemons, what: str, pass_ms: float) -> None:
    from bench.baseline import straightforward_visit
    from reconciler.models import Host

    (changed,) = daemons.change(CHANGING_SHARE)
    started = time.perf_counter()
    got_through = straightforward_visit(Host.objects.get())
    milliseconds = (time.perf_counter() - started) * 1000
    outcome = f"{milliseconds / pass_ms:.0f}× as long" if got_through else "gives up"
    what = f"{len(changed)} changed, straightforward, {what}"
    _print(what, milliseconds, f"{_right(daemons, changed)} right; {outcome}")


def _print(what: str, milliseconds: float, more: str = "") -> None:
    print(f"{what:50} {milliseconds:>8.1f} ms  {more}".rstrip(), flush=True)


def _pass_ms() -> float:
    from reconciler.conf import engine_of
    from reconciler.core.report import Trigger
    from reconciler.models import Host
    from reconciler.reconcile import reconcile

    host = Host.objects.get(name=host_name(0))
    started = time.perf_counter()
    report = reconcile(host, engine_of(host), trigger=Trigger.MANUAL)
    if report.outcome != "applied":
        raise RuntimeError(report.error)
    return (time.perf_counter() - started) * 1000


def main() -> int:
    """Measure on the database that BENCH_DATABASE names."""
    end_in_order()
    with short_directory() as directory, database(directory) as url, django_in(url):
        with Daemons(1, CONTAINERS) as daemons:
            missed = measure(daemons)
        with Daemons(1, IN_VAIN_CONTAINERS) as daemons:
            missed += measure_in_vain(daemons)
    for what in missed:
        print(f"MISSED: {what}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
