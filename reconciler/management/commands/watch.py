"""`manage.py watch`: follow the events of hosts, and have the workers look when something happens."""

import resource
import signal
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from reconciler import tasks
from reconciler.exceptions import ReconcilerError
from reconciler.watch.supervisor import Watcher


class Command(BaseCommand):
    """Watch hosts until told to end."""

    help = (
        "Follow the event streams of all enabled hosts and ask the workers for a pass when something happens. "
        "Ends cleanly on SIGTERM; exit status 1 if it can no longer do its work."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", action="append", default=[], metavar="NAME", help="only this host; repeatable")

    def handle(self, *_: Any, host: list[str], **__: Any) -> None:
        # each host takes a connection and a thread, and the usual limit is 1,024 open files
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        watcher = Watcher(tasks.ask, settings.EVENT_WINDOW, only=host)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: watcher.stopping.set())
        self.stdout.write(f"watching {', '.join(host) or 'all enabled hosts'}")
        try:
            watcher.run()
        except ReconcilerError as error:
            raise CommandError(str(error)) from error
