"""`manage.py token`: what programs show to be let in."""

from argparse import ArgumentParser
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from web.durations import read_duration
from web.models import Scope, Token


class Command(BaseCommand):
    """Manage tokens."""

    help = "Add, list and remove tokens. A token is shown once, when it is made. Exit status 1 if it cannot be done."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True, metavar="add|list|remove")
        add = acts.add_parser("add", help="make a token and print it; it is shown only now")
        add.add_argument("name", help="who uses it")
        add.add_argument("--scope", choices=list(Scope.values), default=Scope.READ.value, help="what it is good for")
        add.add_argument("--expires", default="", metavar="90d", help="how long it is good; for ever if not given")
        acts.add_parser("list", help="list all tokens, without their secrets")
        acts.add_parser("remove", help="make a token useless").add_argument("name")

    def handle(self, *_: Any, act: str, **options: Any) -> None:
        acts: dict[str, Callable[..., None]] = {"add": self._add, "list": self._list, "remove": self._remove}
        acts[act](**options)

    def _add(self, name: str, scope: str, expires: str, **_: Any) -> None:
        token = Token(name=name, scope=scope)
        try:
            expires_at = timezone.now() + read_duration(expires) if expires else None
            token.full_clean(exclude=["prefix", "digest"])
        except (ValueError, OverflowError) as error:
            raise CommandError(f"token {name} was not made: {error}", returncode=1) from error
        except ValidationError as error:
            raise CommandError(f"token {name} was not made: {' '.join(error.messages)}", returncode=1) from error
        text = Token.objects.issue(name, Scope(scope), expires_at)[1]
        self.stdout.write(text)
        self.stderr.write(f"token {name} may {Scope(scope).label}; it is shown only now")

    def _list(self, **_: Any) -> None:
        for token in Token.objects.all():
            moments = (f"expires {_moment(token.expires_at)}", f"last used {_moment(token.last_used_at)}")
            self.stdout.write(f"{token.name}  tf_{token.prefix}_…  {token.scope}  {'  '.join(moments)}")

    def _remove(self, name: str, **_: Any) -> None:
        deleted, _per_model = Token.objects.filter(name=name).delete()
        if not deleted:
            raise CommandError(f"there is no token {name}", returncode=1)
        self.stdout.write(f"token {name} removed")


def _moment(moment: datetime | None) -> str:
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%M} UTC"
