"""A fleet to measure with: its daemons in a process of their own, its rows, and whether the rows are true."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

from simulator import Engine, populate

STOP_SECONDS = 10.0
MANY_FAILURES = 20
States = Mapping[str, str]


class Daemons:
    """Simulated daemons with the same number of containers each, in a process. Use it in a `with` statement."""

    def __init__(self, hosts: int, containers: int) -> None:
        command = [sys.executable, "-m", "bench.fleet_daemons", str(hosts), str(containers)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.containers = containers
        self.urls: Sequence[str] = ()

    def __enter__(self) -> Self:
        self.urls = self._answer()
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.terminate()
        self.process.communicate(timeout=STOP_SECONDS)

    def hang(self, share: float) -> Sequence[int]:
        """Let a share of the daemons answer nothing from now on; return their numbers."""
        hanging: Sequence[int] = self._tell("hang", share)
        return hanging

    def heal(self) -> None:
        """Lift every failure."""
        self._tell("heal")

    def fail_inspects(self, rate: float) -> None:
        """Let every daemon answer this share of its inspects with an error, at random."""
        self._tell("fail_inspects", rate)

    def change(self, share: float) -> Sequence[Sequence[str]]:
        """Stop or start a share of each daemon's containers; return the IDs by daemon."""
        changed: Sequence[Sequence[str]] = self._tell("change", share)
        return changed

    def happen(self, daemon: int, container: int) -> tuple[str, str]:
        """Let a container die or start, with its events; return its ID and its state, in the index's words."""
        from reconciler.core.observation import normalise_state

        container_id, state = self._tell("happen", daemon, container)
        return container_id, normalise_state(state)

    def states(self) -> Sequence[States]:
        """Return what each daemon says of its containers, in the index's words."""
        from reconciler.core.observation import normalise_state

        said: Sequence[States] = self._tell("states")
        return [{each: normalise_state(state) for each, state in states.items()} for states in said]

    def _tell(self, *command: object) -> Any:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the simulated fleet has ended")
        return json.loads(line)


def host_name(number: int) -> str:
    """Return the name of a daemon's host."""
    return f"host-{number}"


def empty_database() -> None:
    """Drop every row."""
    from django.core.management import call_command

    call_command("flush", interactive=False, verbosity=0)


def make_rows(daemons: Daemons) -> None:
    """Store the hosts and what their containers need of the catalogue."""
    from reconciler.models import Host, Instance, Stack, Workload

    needed = [populate(Engine(), daemons.containers, seed) for seed in range(len(daemons.urls))]
    Workload.objects.bulk_create(Workload(**row) for rows in needed for row in rows["workloads"])
    Instance.objects.bulk_create(Instance(**row) for rows in needed for row in rows["instances"])
    Stack.objects.bulk_create(Stack(**row) for rows in needed for row in rows["stacks"])
    Host.objects.bulk_create(Host(name=host_name(number), url=url) for number, url in enumerate(daemons.urls))
    analyse()


def analyse() -> None:
    """Have the database look at what is in its tables, as autovacuum would do a minute later."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def let_time_pass(seconds: float) -> None:
    """Change times in the database so that the next round writes and tries what it would after an interval."""
    from datetime import timedelta

    from django.db.models import F

    from reconciler.models import Host

    passed = timedelta(seconds=seconds)
    Host.objects.update(sightings_at=F("sightings_at") - passed, retry_at=F("retry_at") - passed)


def settle_back_off(hanging: Sequence[str]) -> None:
    """Treat hosts that hang as they are treated after some minutes: tried now and then, one at a time."""
    from datetime import timedelta

    from django.conf import settings
    from django.utils import timezone

    from reconciler.models import Host

    now, step = timezone.now(), settings.LONGEST_BACKOFF / max(1, len(hanging))
    for number, host in enumerate(hanging, 1):
        retry_at = now + timedelta(seconds=step * number)
        Host.objects.filter(name=host).update(failures=MANY_FAILURES, retry_at=retry_at)


def rows_by_host() -> dict[str, States]:
    """Return the states of all rows by container ID, by host."""
    from reconciler.models import Container

    found: dict[str, dict[str, str]] = {}
    for host, container_id, state in Container.objects.order_by().values_list("host_id", "container_id", "state"):
        found.setdefault(host, {})[container_id] = state
    return dict(found)


def untruths(said: Sequence[States], unchanged: Mapping[str, States]) -> list[str]:
    """Return what is wrong in the rows: of hosts that answer, and of those in `unchanged`, which had to stay."""
    rows = rows_by_host()
    expected = {host_name(number): states for number, states in enumerate(said)} | dict(unchanged)
    wrong = [host for host, states in expected.items() if rows.get(host) != states]
    return [f"{len(wrong)} hosts, such as {wrong[0]}, have rows that are wrong"] if wrong else []


def wait_for(condition: Callable[[], bool], limit_seconds: float) -> bool:
    """Wait until a condition holds; return whether it held within the limit."""
    started = time.monotonic()
    while not condition():
        waited = time.monotonic() - started
        if waited > limit_seconds:
            return False
        # looking too often would cost what is to be measured
        time.sleep(min(0.1, max(0.005, waited / 50)))
    return True


def answering(hosts: int, hanging: Iterable[int]) -> list[str]:
    """Return the names of the hosts that do not hang."""
    mute = set(hanging)
    return [host_name(number) for number in range(hosts) if number not in mute]
