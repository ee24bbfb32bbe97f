"""The same fleet visited by one process, one host after another: these passes, and the straightforward task's."""

import time
from collections.abc import Callable

from bench.fleet_world import Daemons, host_name, let_time_pass

CHANGING_SHARE = 0.01
AGE_SECONDS = 30.0


def statements_of_a_pass(daemons: Daemons) -> int:
    """Return how many statements the task of one steady pass sends, BEGIN and COMMIT included."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from reconciler.models import Host
    from reconciler.tasks import reconcile_host

    daemons.change(CHANGING_SHARE)
    let_time_pass(AGE_SECONDS)
    host = Host.objects.get(name=host_name(0))
    before = host.last_success_at
    with CaptureQueriesContext(connection) as captured:
        reconcile_host(host.name, "tick")
    host.refresh_from_db()
    assert host.last_success_at != before, host.last_error
    return len(captured)


def print_sequences(daemons: Daemons, round_seconds: float) -> None:
    """Visit every host twice, the hanging ones included, and print how long it takes beside a round of the workers."""
    from bench.baseline import straightforward_visit
    from reconciler.conf import engine_of
    from reconciler.core.report import Trigger
    from reconciler.models import Host
    from reconciler.reconcile import reconcile

    def ours(host: Host) -> bool:
        return reconcile(host, engine_of(host), trigger=Trigger.MANUAL).outcome == "applied"

    for what, visit in (("these passes", ours), ("straightforward passes", straightforward_visit)):
        seconds, visited = _visit_all(daemons, visit)
        ratio = f"{seconds / round_seconds:.1f}× a steady round"
        print(f"  one process, {what}: {seconds:.1f} s for {visited} hosts and those that hang: {ratio}")


def _visit_all(daemons: Daemons, visit: Callable[..., bool]) -> tuple[float, int]:
    from reconciler.models import Host

    daemons.change(CHANGING_SHARE)
    let_time_pass(AGE_SECONDS)
    hosts = list(Host.objects.order_by("name"))
    started = time.perf_counter()
    visited = sum(visit(host) for host in hosts)
    return time.perf_counter() - started, visited
