"""`manage.py silence`: of what nobody is to be told for a while."""

import getpass
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from alerts.core.conditions import Condition
from alerts.models import Silence


class Command(BaseCommand):
    """Manage silences."""

    help = "Add, list and end silences: they mute the sending, never the judging. Exit status 1 if it cannot be done."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True, metavar="add|list|end")
        add = acts.add_parser("add", help="tell nobody of what fits, or of anything if nothing is named")
        add.add_argument("minutes", type=int, help="for how long, at most 43200; no silence is for ever")
        add.add_argument("--host", default="", help="of this host and its rows alone")
        add.add_argument("--workload", default="", metavar="ID", help="of this workload alone")
        add.add_argument("--condition", default="", choices=["", *Condition], metavar="NAME", help="of this alone")
        add.add_argument("--reason", default="", help="why, for others to read")
        acts.add_parser("list", help="list the silences that are not over")
        acts.add_parser("end", help="let a silence end now").add_argument("number", type=int)

    def handle(self, *_: Any, act: str, **options: Any) -> None:
        acts: dict[str, Callable[..., None]] = {"add": self._add, "list": self._list, "end": self._end}
        acts[act](**options)

    def _add(self, minutes: int, host: str, workload: str, condition: str, **more: Any) -> None:
        if not 1 <= minutes <= 43_200:
            raise CommandError(f"a silence lasts 1 to 43200 minutes, not {minutes}", returncode=1)
        now = timezone.now()
        named = {"host": host, "workload_id": workload, "condition": condition}
        silence = Silence(**named, begins_at=now, ends_at=now + timedelta(minutes=minutes), reason=more["reason"])
        silence.by = getpass.getuser()
        try:
            silence.full_clean()
        except ValidationError as error:
            raise CommandError(f"no silence was made: {' '.join(error.messages)}", returncode=1) from error
        silence.save()
        self.stdout.write(_line(silence))

    def _list(self, **_: Any) -> None:
        silences = list(Silence.objects.filter(ends_at__gt=timezone.now()))
        for silence in silences:
            self.stdout.write(_line(silence))
        if not silences:
            self.stderr.write("nothing is silenced; `manage.py silence add` silences something for a while")

    def _end(self, number: int, **_: Any) -> None:
        silence = Silence.objects.filter(pk=number).first()
        if silence is None:
            raise CommandError(f"there is no silence {number}; `silence list` lists them", returncode=1)
        silence.end(timezone.now())
        self.stdout.write(f"silence {number} is over")


def _line(silence: Silence) -> str:
    why = f"  {silence.reason}" if silence.reason else ""
    return f"{silence.pk}  {silence}  until {silence.ends_at:%Y-%m-%d %H:%M} UTC  by {silence.by}{why}"
