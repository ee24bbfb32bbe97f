"""`manage.py channel`: the ways by which people are told."""

import sys
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from alerts.models import Channel, ChannelKind, Condition, Message, Route, Severity
from alerts.sealing import CannotOpen, resealed
from alerts.sending.turns import send

ACTS = "add|list|route|test|enable|disable|remove|renew|resend|rekey"
ROUTED_BY = ("severity", "condition", "host", "workload_id", "workload_kind")


class Command(BaseCommand):
    """Manage channels."""

    help = (
        "Add, list, test and remove the channels by which people are told, and send again what was given up. "
        "Exit status 1 if something is refused, or a test does not arrive."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True, metavar=ACTS)
        add = acts.add_parser("add", help="add a channel; a webhook's secret is printed, now and never again")
        add.add_argument("name", help="letters, digits, - and _")
        add.add_argument("kind", choices=list(ChannelKind.values))
        add.add_argument("target", help="where it sends to; - reads it from standard input, because it may be secret")
        acts.add_parser("list", help="list all channels and their routes, without their secrets")
        route = acts.add_parser("route", help="tell it what fits, beside what its other routes say, and nothing else")
        route.add_argument("name")
        route.add_argument("--severity", default="", choices=["", *Severity], metavar="|".join(Severity))
        route.add_argument("--condition", default="", choices=["", *Condition], metavar="NAME")
        route.add_argument("--host", default="", help="the name of one host")
        route.add_argument("--workload", dest="workload_id", default="", metavar="ID")
        route.add_argument("--kind", dest="workload_kind", default="", help="such as project, site or stack")
        for act, what in (
            ("test", "send a test message now, and say what came of it"),
            ("enable", "tell it again what begins from now on"),
            ("disable", "tell it nothing"),
            ("remove", "forget it, and what it was to be told"),
            ("renew", "sign a webhook by a new secret and by the one before, and print the new one"),
        ):
            acts.add_parser(act, help=what).add_argument("name")
        acts.add_parser("resend", help="send again what was given up")
        acts.add_parser("rekey", help="encrypt the secrets of all channels by the first of CHANNEL_KEYS")

    def handle(self, *_: Any, act: str, **options: Any) -> None:
        acts: dict[str, Callable[..., None]] = {
            "add": self._add,
            "list": self._list,
            "route": self._route,
            "test": self._test,
            "enable": lambda name, **_: self._set_enabled(name, enabled=True),
            "disable": lambda name, **_: self._set_enabled(name, enabled=False),
            "remove": self._remove,
            "renew": self._renew,
            "resend": self._resend,
            "rekey": self._rekey,
        }
        acts[act](**options)

    def _add(self, name: str, kind: str, target: str, **_: Any) -> None:
        channel = Channel(name=name, kind=kind)
        try:
            secret = channel.set_target(sys.stdin.readline().strip() if target == "-" else target)
            channel.full_clean()
        except ValidationError as error:
            raise CommandError(f"channel {name} was not added: {' '.join(error.messages)}", returncode=1) from error
        channel.save(force_insert=True)
        self.stderr.write(f"channel {name} added; `manage.py channel test {name}` tells whether a message arrives")
        self.stderr.write(f"it is told everything; `manage.py channel route {name} --severity page` tells it less")
        if secret:
            self.stdout.write(secret)
            self.stderr.write("its messages are signed by this secret, which is shown only now")

    def _list(self, **_: Any) -> None:
        channels = list(Channel.objects.prefetch_related("routes"))
        for channel in channels:
            sent = f"{channel.sent_at:%Y-%m-%d %H:%M} UTC" if channel.sent_at else "never"
            parts = (channel.name, channel.kind, channel.shown, "on" if channel.is_enabled else "off")
            problem = f"  {channel.problem}" if channel.problem else ""
            self.stdout.write(f"{'  '.join(parts)}  last sent {sent}{problem}")
            for route in channel.routes.all():
                self.stdout.write(f"  told: {route}")
        if not channels:
            self.stderr.write("there are no channels, so nobody is told of anything; `manage.py channel add` makes one")

    def _route(self, name: str, **asked: Any) -> None:
        route = Route(**{column: asked[column] for column in ROUTED_BY})
        channel = _named(name)
        try:
            route.full_clean()
        except ValidationError as error:
            raise CommandError(f"no route was made: {' '.join(error.messages)}", returncode=1) from error
        with transaction.atomic():
            route.save()
            route.channels.add(channel)
        self.stdout.write(f"channel {name} is told: {route}")
        self.stderr.write("`manage.py channel list` lists its routes; the admin changes and removes them")

    def _test(self, name: str, **_: Any) -> None:
        channel, now = _named(name), timezone.now()
        made = Message.objects.create(channel=channel, is_test=True, made_at=now, next_attempt_at=now)
        message = Message.objects.claim(made.pk, now)
        arrived = message is not None and send(message, timezone.now)
        if not arrived:
            problem = Message.objects.get(pk=made.pk).problem
            Message.objects.filter(pk=made.pk).delete()
            raise CommandError(f"the test of channel {name} did not arrive: {problem}", returncode=1)
        self.stdout.write(f"channel {name} took the test")

    def _set_enabled(self, name: str, *, enabled: bool) -> None:
        Channel.objects.filter(pk=_named(name).pk).update(is_enabled=enabled, not_before=None)
        self.stdout.write(f"channel {name} is {'on' if enabled else 'off'}")

    def _remove(self, name: str, **_: Any) -> None:
        _named(name).delete()
        self.stdout.write(f"channel {name} removed")

    def _renew(self, name: str, **_: Any) -> None:
        channel = _named(name)
        if channel.kind != ChannelKind.WEBHOOK:
            raise CommandError(f"channel {name} is no webhook: only webhooks are signed", returncode=1)
        try:
            secret = channel.renew_secret()
        except CannotOpen as error:
            raise CommandError(f"channel {name}: {error}", returncode=1) from error
        channel.save(update_fields=["sealed"])
        self.stdout.write(secret)
        self.stderr.write("shown only now; the secret before it signs as well, until the next renewal")

    def _resend(self, **_: Any) -> None:
        again = Message.objects.send_again(timezone.now())
        self.stdout.write(f"{again} messages will be sent again, {Message.objects.dead().count()} are left")

    def _rekey(self, **_: Any) -> None:
        failed = []
        for channel in Channel.objects.all():
            try:
                sealed = resealed(channel.sealed)
            except CannotOpen:
                failed.append(channel.name)
            else:
                Channel.objects.filter(pk=channel.pk, sealed=channel.sealed).update(sealed=sealed)
        if failed:
            text = "none of CHANNEL_KEYS and SECRET_KEY decrypts channels"
            raise CommandError(f"{text} {', '.join(failed)}: add the key that was used before", returncode=1)
        self.stdout.write("all channels are encrypted by the first key; the others are no longer needed")


def _named(name: str) -> Channel:
    channel = Channel.objects.filter(name=name).first()
    if channel is None:
        raise CommandError(f"there is no channel {name}; `manage.py channel list` names all", returncode=1)
    return channel
