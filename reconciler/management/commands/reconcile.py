"""`manage.py reconcile`: look at hosts now, and print what changed and why."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from kombu.exceptions import OperationalError

from reconciler.conf import engine_of, lock_of, named_hosts
from reconciler.core.report import Outcome, Report, Trigger
from reconciler.exceptions import LockUnavailable, UnknownHost
from reconciler.lock import PassRequest
from reconciler.models import Host
from reconciler.reconcile import reconcile
from reconciler.report_text import report_text
from reconciler.single_flight import reconcile_in_turn
from reconciler.tasks import follow_up

EXIT_FAILED = 1
EXIT_BUSY = 75


class Command(BaseCommand):
    """Reconcile hosts in this process."""

    help = (
        "Ask each host's Engine for its containers and bring the index up to date. "
        "Exit status: 0 done; 1 a host failed or is unknown; 75 a pass of a host was under way (another follows it)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", action="append", default=[], metavar="NAME", help="only this host; repeatable")
        parser.add_argument("--dry-run", action="store_true", help="print what would change and write nothing at all")
        parser.add_argument("--json", action="store_true", help='print one object {"passes": [...]}')

    def handle(self, *_: Any, host: list[str], dry_run: bool, json: bool, **__: Any) -> None:
        try:
            rows = named_hosts(host)
        except UnknownHost as error:
            raise CommandError(str(error), returncode=EXIT_FAILED) from error
        reports: list[Report] = []
        for row in rows:
            made = [self._plan(row)] if dry_run else self._reconcile(row)
            reports += made
            if not json:
                for report in made:
                    self.stdout.write(report_text(report))
        if json:
            self.stdout.write(_as_json(reports))
        failed = [report for report in reports if report.outcome == Outcome.FAILED]
        busy = [report.host for report in reports if report.outcome == Outcome.BUSY]
        if failed:
            raise CommandError("; ".join(report.error for report in failed), returncode=EXIT_FAILED)
        if busy:
            text = f"a pass of {', '.join(busy)} is under way; another one follows it and answers this request"
            raise CommandError(text, returncode=EXIT_BUSY)

    def _plan(self, host: Host) -> Report:
        return reconcile(host, engine_of(host), trigger=Trigger.MANUAL, dry_run=True)

    def _reconcile(self, host: Host) -> list[Report]:
        """Make passes in turn with the workers, or without the lock if Redis does not answer."""
        try:
            # a request of its own makes sure that a pass under way is followed by one that answers it (I12)
            lock_of(host.name).request(PassRequest(Trigger.MANUAL))
            run = reconcile_in_turn(host, trigger=Trigger.MANUAL)
        except LockUnavailable as error:
            self.stderr.write(f"{error}: going on without the lock, under the database fence alone")
            return [reconcile(host, engine_of(host), trigger=Trigger.MANUAL)]
        try:
            follow_up(host.name, run)
        except (LockUnavailable, OperationalError) as error:
            self.stderr.write(f"{error}: what was asked of host {host.name} meanwhile, the next tick answers")
        return list(run.reports)


def _as_json(reports: list[Report]) -> str:
    return json.dumps({"passes": [report.as_dict() for report in reports]}, indent=2)
