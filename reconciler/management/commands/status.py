"""`manage.py status`: how fresh the index is, host by host."""

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from reconciler.report_text import table
from reconciler.status import HostStatus, statuses


class Command(BaseCommand):
    """Print the state of every host."""

    help = (
        "Print hosts, how fresh they are, containers by state, latency and drift. "
        "Exit status 1 if an enabled host is stale: no success within three intervals."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help='print one object {"hosts": [...]}')

    def handle(self, *_: Any, json: bool, **__: Any) -> None:
        now = timezone.now()
        hosts = statuses(now)
        self.stdout.write(_as_json(hosts) if json else "\n".join(table([HEAD, *map(_row, hosts)], indent="")))
        for host in hosts:
            if host.error and not json:
                self.stdout.write(f"{host.host}: {host.error}")
        if stale := [host.host for host in hosts if host.stale]:
            raise CommandError(f"stale, no success within three intervals: {', '.join(stale)}", returncode=1)


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


def _as_json(hosts: list[HostStatus]) -> str:
    return json.dumps({"hosts": [host.as_dict() for host in hosts]}, indent=2)
