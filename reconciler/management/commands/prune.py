"""`manage.py prune`: delete history and rows without a container that are older than they have to be kept."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from reconciler.prune import prune


class Command(BaseCommand):
    """Delete old transitions, and rows that have been missing or moved for a long time."""

    help = (
        "Delete transitions older than TRANSITION_DAYS, and rows missing or moved for more than MISSING_DAYS; "
        "0 keeps all. Beat does so daily."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count what would go and delete nothing")

    def handle(self, *_: Any, dry_run: bool, **__: Any) -> None:
        pruned = prune(timezone.now(), dry_run=dry_run)
        would = "would go" if dry_run else "deleted"
        self.stdout.write(
            f"{pruned.containers} rows missing or moved for more than {_days(settings.MISSING_DAYS)} {would}\n"
            f"{pruned.transitions} transitions older than {_days(settings.TRANSITION_DAYS)} {would}"
        )


def _days(days: int) -> str:
    return f"{days} days" if days else "… (kept for ever)"
