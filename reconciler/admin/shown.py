"""How the admin shows states and moments, and the base of admins that cannot change anything."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
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
    State.MOVED: "→",
    State.GONE: "∅",
    State.PENDING: "…",
}
_OOM = format_html(' <span class="state state-failed" title="killed for want of memory">{}</span>', "OOM")


class ReadOnlyAdmin(admin.ModelAdmin):
    """An admin for rows that can be looked at and not changed."""

    list_title = ""
    empty_value_display = "—"
    show_full_result_count = False
    list_per_page = 100

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Give the list a title of its own, because Django's asks to select something to change."""
        return super().changelist_view(request, {"title": self.list_title, **(extra_context or {})})

    class Media:
        css: ClassVar = {"all": ["reconciler/admin.css"]}


def state_badge(state: str, *, done: bool = False) -> SafeString:
    """Return a state as a sign, a word and a colour; the colour is pale if a job is `done`."""
    known = state in State.values
    label = State(state).label if known else state
    return format_html(
        '<span class="state state-{}{}">{} {}</span>',
        (state or "pending") if known else "other",
        " state-done" if done else "",
        _SIGNS[State(state)] if known else "•",
        label,
    )


def unknown_badge(state: str, since: datetime | None) -> SafeString:
    """Return the badge for a state that is not known, with the last known state beside it in quiet type."""
    known = state in State.values
    title = f"known until {since.isoformat(timespec='seconds')}" if since else "its host has never answered"
    return format_html(
        '<span class="state state-unknown" title="{}">◌ unknown</span> <span class="quiet">was {}</span>',
        title,
        State(state).label if known else state,
    )


def end_badge(exit_code: int | None, oom_killed: bool | None) -> SafeString:
    """Return how a container ended: its exit code, and whether memory had run out."""
    code = "" if exit_code is None else format_html(' <span class="quiet">exit {}</span>', exit_code)
    return format_html("{}{}", code, _OOM if oom_killed else "")


def age(moment: datetime | None) -> SafeString | str:
    """Return how long ago a moment was, with the moment itself as a tooltip."""
    if moment is None:
        return "never"
    return format_html('<span title="{}">{}</span>', moment.isoformat(timespec="seconds"), _ago(moment))


def moment_of(column: str, label: str, ordering: str | None = None) -> Callable[[Any, Any], SafeString | str]:
    """Return a column for an admin: a moment, to compare with logs, and how far from now it is."""

    @admin.display(description=label, ordering=ordering)
    def shown(_: Any, row: Any) -> SafeString | str:
        moment = getattr(row, column)
        if moment is None:
            return "—"
        absolute = f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        return format_html('<span class="moment">{}</span> <span class="quiet">{}</span>', absolute, _ago(moment))

    return shown


def _ago(moment: datetime) -> str:
    seconds = (timezone.now() - moment).total_seconds()
    if seconds < 0:
        return f"in {-seconds:.0f} s"
    return f"{seconds:.0f} s ago" if seconds < 60 else f"{timesince(moment, depth=1)} ago"
