"""`manage.py host`: the machines whose Engines are looked at."""

import json
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from reconciler import standing, store
from reconciler.conf import engine_of, named_hosts
from reconciler.core.row_ids import LOCAL_HOST
from reconciler.exceptions import EngineUnavailable, UnknownHost
from reconciler.models import Container, Host
from reconciler.models.condition import condition
from reconciler.report_text import table
from reconciler.status import condition_text

HEAD = ("HOST", "ENGINE", "TLS", "CONDITION")


class Command(BaseCommand):
    """Manage hosts."""

    help = (
        "Add, list, check, enable, disable and remove hosts. Workers and watcher follow without a restart. "
        "Exit status 1 if something is refused, or a host that is checked does not answer."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True, metavar="add|list|check|enable|disable|remove")
        add = acts.add_parser("add", help="add a host, enabled unless told otherwise")
        add.add_argument("name", help="letters, digits, - and _")
        add.add_argument("url", help="unix:///path, tcp://name:port or ssh://user@name[:port]")
        for option, what in (
            ("ca", "the CA that its Engine's certificate is verified by"),
            ("cert", "our client certificate"),
            ("key", "the key of that certificate"),
        ):
            add.add_argument(f"--tls-{option}", default="", metavar="FILE", help=f"PEM file with {what}")
        add.add_argument("--disabled", action="store_true", help="do not look at it yet")
        listing = acts.add_parser("list", help="list all hosts")
        listing.add_argument("--json", action="store_true", help='print one object {"hosts": [...]}')
        check = acts.add_parser("check", help="connect, and say what is found or what is wrong")
        check.add_argument("name", nargs="*", help="all enabled hosts, if none is named")
        check.add_argument("--json", action="store_true", help='print one object {"hosts": [...]}')
        for act in ("enable", "disable"):
            acts.add_parser(act, help=f"{act} hosts").add_argument("name", nargs="+")
        remove = acts.add_parser("remove", help="forget a host")
        remove.add_argument("name")
        remove.add_argument("--with-rows", action="store_true", help="and the rows of its containers")

    def handle(self, *_: Any, act: str, **options: Any) -> None:
        acts: dict[str, Callable[..., None]] = {
            "add": self._add,
            "list": self._list,
            "check": self._check,
            "enable": lambda name, **_: self._set_enabled(name, enabled=True),
            "disable": lambda name, **_: self._set_enabled(name, enabled=False),
            "remove": self._remove,
        }
        acts[act](**options)

    def _add(self, name: str, url: str, *, disabled: bool, **options: Any) -> None:
        files = {f"tls_{file}": options[f"tls_{file}"] for file in ("ca", "cert", "key")}
        host = Host(name=name, url=url, enabled=not disabled, **files)
        try:
            host.full_clean()
        except ValidationError as error:
            raise CommandError(f"host {name} was not added: {_said(error)}", returncode=1) from error
        with transaction.atomic():
            host.save(force_insert=True)
            standing.note_conditions(timezone.now(), [name])
        self.stdout.write(f"host {name} added; `manage.py host check {name}` tells whether it answers")

    def _list(self, *, json: bool, **_: Any) -> None:
        now = timezone.now()
        hosts = list(Host.objects.all())
        if json:
            self.stdout.write(_as_json([_as_dict(host, now) for host in hosts]))
            return
        rows = [(host.name, engine_of(host).shown_url, _tls(host), condition_text(host, now)) for host in hosts]
        self.stdout.write("\n".join(table([HEAD, *rows], indent="")))

    def _check(self, name: list[str], *, json: bool, **_: Any) -> None:
        found: list[dict[str, Any]] = []
        for host in _named(name):
            found.append(_found(host))
            if not json:
                self.stdout.write(_sentence(found[-1]))
        if json:
            self.stdout.write(_as_json(found))
        if silent := [each["host"] for each in found if each["error"]]:
            raise CommandError(f"no usable answer from {', '.join(silent)}", returncode=1)

    def _set_enabled(self, names: list[str], *, enabled: bool) -> None:
        hosts = _named(names)
        names = [host.name for host in hosts]
        with transaction.atomic():
            Host.objects.filter(name__in=names).update(enabled=enabled)
            standing.note_conditions(timezone.now(), names)
        self.stdout.write(f"{'enabled' if enabled else 'disabled'}: {', '.join(host.name for host in hosts)}")

    def _remove(self, name: str, *, with_rows: bool, **_: Any) -> None:
        _named([name])
        if name == LOCAL_HOST:
            raise CommandError("host local stays, row ids depend on it; `manage.py host disable local`", returncode=1)
        with transaction.atomic():
            # a pass that is under way either applies before this, or finds that its host is gone
            host = Host.objects.select_for_update().get(name=name)
            rows = Container.objects.on(name)
            if not with_rows and (count := rows.count()):
                text = f"host {name} has {count} rows, which its removal would leave without a host"
                raise CommandError(f"{text}; disable it, or remove it --with-rows", returncode=1)
            locked = rows.select_for_update().order_by("id")
            deleted = store.end_rows(locked, f"host {name} was removed with its rows", timezone.now())
            standing.remove_host(host, timezone.now())
        self.stdout.write(f"host {name} removed, and {deleted} rows with it")


def _named(names: list[str]) -> list[Host]:
    try:
        return named_hosts(names)
    except UnknownHost as error:
        raise CommandError(str(error), returncode=1) from error


def _found(host: Host) -> dict[str, Any]:
    """Ask a host's Engine what it is; return that, or the error."""
    engine = engine_of(host)
    said: dict[str, Any] = {"host": host.name, "url": engine.shown_url, "error": ""}
    try:
        about = asdict(engine.about())
    except EngineUnavailable as error:
        return said | {"error": error.reason}
    recorded = host.engine_id
    return said | about | {"is_another_engine": recorded not in (None, about["engine_id"])}


def _sentence(found: dict[str, Any]) -> str:
    """Return in a sentence what was found at a host."""
    if found["error"]:
        return f"{found['host']}: the Engine at {found['url']} {found['error']}"
    text = "{host}: {product} {version} (API {api_version}) at {url}, {containers} containers".format(**found)
    return f"{text}; NOT the Engine that was there before" if found["is_another_engine"] else text


def _tls(host: Host) -> str:
    return " ".join(path for path in (host.tls_ca, host.tls_cert, host.tls_key) if path) or "—"


def _as_dict(host: Host, at: datetime) -> dict[str, Any]:
    names = ("enabled", "tls_ca", "tls_cert", "tls_key", "engine_id", "failures")
    conditions = {"condition": condition(host, at), "condition_text": condition_text(host, at)}
    return {"host": host.name, "url": host.shown_url} | {name: getattr(host, name) for name in names} | conditions


def _said(error: ValidationError) -> str:
    return " ".join(error.messages)


def _as_json(hosts: list[dict[str, Any]]) -> str:
    return json.dumps({"hosts": hosts}, indent=2)
