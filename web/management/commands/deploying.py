"""`manage.py deploying`: says that something is being deployed, so that its deaths alarm nobody."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from reconciler.api import BadValue, Conflict, UnknownRow, UnknownWorkload, begin_deployment, end_deployment
from web.durations import read_duration

BY = "manage.py deploying"


class Command(BaseCommand):
    """Begin, prolong or end a deploy."""

    help = (
        "Say that a workload is being deployed, for 10 minutes if not told otherwise; say it again to prolong that. "
        "It ends by itself, or with --end. Exit status 1 if it cannot be done."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="WORKLOAD", help="the workload's id; with --row, the id of a row")
        parser.add_argument(
            "--for", default="10m", dest="lasts", metavar="10m", help="until when; at most 30m from now"
        )
        parser.add_argument("--row", action="store_true", help="only this row is deployed")
        parser.add_argument("--end", action="store_true", help="the deploy is over")

    def handle(self, *_: Any, name: str, lasts: str, row: bool, end: bool, **__: Any) -> None:
        target = {"row" if row else "workload": name}
        try:
            told = self._end(target) if end else self._begin(target, lasts)
        except (BadValue, UnknownRow, UnknownWorkload, Conflict, ValueError) as error:
            raise CommandError(str(error), returncode=1) from error
        self.stdout.write(told)

    def _begin(self, target: dict[str, str], lasts: str) -> str:
        lease = begin_deployment(**target, lasts=read_duration(lasts), by=BY)
        return f"{lease.target} is being deployed, until {lease.ends_at:%Y-%m-%d %H:%M:%S} UTC at most"

    def _end(self, target: dict[str, str]) -> str:
        lease = end_deployment(**target, by=BY)
        return f"the {lease} is over" if lease else f"{next(iter(target.values()))} is not being deployed"
