"""`manage.py status`: whether the index can do its work, as `/readyz` says, and how fresh it is, host by host."""

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from reconciler.readiness import SHORTFALL_WORDS, Shortfall, shortfalls
from reconciler.report_text import table
from reconciler.status import HostStatus, statuses

WITHOUT_HOSTS = {Shortfall.DATABASE, Shortfall.MIGRATIONS}
"""What keeps the hosts from being read."""


class Command(BaseCommand):
    """Print the state of every host."""

    help = (
        "Print hosts, how fresh they are, containers by state, latency and drift. "
        "Exit status 1 if the index lacks something that it needs, as /readyz says as well, or if an enabled host is "
        "stale: no success within three intervals."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help='print one object {"failing": [...], "hosts": [...]}')

    def handle(self, *_: Any, json: bool, **__: Any) -> None:
        now = timezone.now()
        failing = shortfalls(now)
        hosts = [] if set(failing) & WITHOUT_HOSTS else statuses(now)
        self.stdout.write(_as_json(failing, hosts) if json else "\n".join(_lines(hosts)))
        wrong = [SHORTFALL_WORDS[shortfall] for shortfall in failing]
        if stale := [host.host for host in hosts if host.stale]:
            wrong.append(f"stale, no success within three intervals: {', '.join(stale)}")
        if wrong:
            raise CommandError("; ".join(wrong), returncode=1)


HEAD = (
    "HOST",
    "ENGINE",
    "CONDITION",
    "WATCHED",
    "LAST SUCCESS",
    "CONTAINERS",
    "EVENTS",
    "ASKED",
    "LATENCY P50/P99",
    "DRIFT",
)


def _lines(hosts: Sequence[HostStatus]) -> list[str]:
    errors = [f"{host.host}: {host.error}" for host in hosts if host.error]
    return [*table([HEAD, *map(_row, hosts)], indent=""), *errors]


def _row(host: HostStatus) -> Sequence[str]:
    seen = "never" if host.age_seconds is None else f"{host.age_seconds:.0f} s ago"
    latency = "—"
    if host.latency_p50_ms is not None and host.latency_p99_ms is not None:
        latency = f"{host.latency_p50_ms:.0f}/{host.latency_p99_ms:.0f} ms of {host.latency_count}"
    return (
        host.host,
        host.engine,
        host.condition_text,
        f"since {host.watching_since:%H:%M:%S}" if host.watching_since else "no",
        f"{seen}{' STALE' if host.stale else ''}",
        _containers(host),
        str(host.events_seen),
        str(host.passes_asked),
        latency,
        str(host.drift_found),
    )


def _containers(host: HostStatus) -> str:
    counted = _counted(host.containers) or "none"
    known = f" (last known: {_counted(host.last_known)})" if host.last_known else ""
    return counted + known + (f"; {host.looping} in a restart loop" if host.looping else "")


def _counted(states: dict[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items()))


def _as_json(failing: Sequence[Shortfall], hosts: Sequence[HostStatus]) -> str:
    return json.dumps({"failing": failing, "hosts": [host.as_dict() for host in hosts]}, indent=2)
