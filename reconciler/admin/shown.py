"""How states and moments are shown, and admins for looking only."""

from datetime import datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from reconciler.models import State

_SIGNS = {
    State.RUNNING: "●",
    State.RESTARTING: "↻",
    State.PAUSED: "‖",
    State.CREATED: "○",
    State.REMOVING: "⌫",
    State.STOPPED: "■",
    State.FAILED: "✗",
    State.MISSING: "?",
    State.PENDING: "…",
}


class ReadOnlyAdmin(admin.ModelAdmin):
    """For looking only."""

    show_full_result_count = False
    list_per_page = 100

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    class Media:
        css: ClassVar = {"all": ["reconciler/admin.css"]}


def state_badge(state: str) -> SafeString:
    """Return a state as a sign, a word and a colour."""
    known = state in State.values
    label = State(state).label if known else state
    return format_html(
        '<span class="state state-{}">{} {}</span>',
        (state or "pending") if known else "other",
        _SIGNS[State(state)] if known else "•",
        label,
    )


def unknown_badge(state: str, since: datetime | None) -> SafeString:
    """Return that a state is not known, and which was the last that was."""
    last = state_badge(state)
    title = f"known until {since.isoformat(timespec='seconds')}" if since else "its host has never answered"
    return format_html('<span class="state state-unknown" title="{}">◌ unknown</span> was {}', title, last)


def age(moment: datetime | None) -> SafeString | str:
    """Return how long ago a moment was, with the moment itself as a tooltip."""
    if moment is None:
        return "never"
    seconds = (timezone.now() - moment).total_seconds()
    text = f"{seconds:.0f} s ago" if seconds < 60 else f"{timesince(moment, depth=1)} ago"
    return format_html('<span title="{}">{}</span>', moment.isoformat(timespec="seconds"), text)
