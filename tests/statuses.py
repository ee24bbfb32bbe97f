"""What `manage.py status` says of a host, and how a test makes the host so."""

import io
import json
from datetime import datetime, timedelta
from typing import Any

from django.core.management import CommandError, call_command
from django.utils import timezone

from reconciler.models import Host


def ago(seconds: float) -> datetime:
    return timezone.now() - timedelta(seconds=seconds)


def set_local(**columns: Any) -> None:
    """Set columns of the host local, at which somebody has looked just now if they do not say otherwise."""
    Host.objects.filter(name="local").update(**{"last_attempt_at": timezone.now(), **columns})


def run(*arguments: str) -> tuple[int, str, str]:
    """Return the exit status, the standard output and the error."""
    out = io.StringIO()
    try:
        call_command("status", *arguments, stdout=out)
    except CommandError as error:
        return error.returncode, out.getvalue(), str(error)
    return 0, out.getvalue(), ""


def status(name: str = "local") -> dict[str, Any]:
    """Return what --json says about a host."""
    _, printed, _ = run("--json")
    return next(host for host in json.loads(printed)["hosts"] if host["host"] == name)
