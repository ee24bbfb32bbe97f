"""Hosts in the admin: they can be looked at and edited, and a pass over them can be asked for."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from reconciler.admin.shown import moment_of
from reconciler.api import CannotAsk, request_pass
from reconciler.core.row_ids import LOCAL_HOST
from reconciler.levels import Level, level_of_condition
from reconciler.models import Condition, Host
from reconciler.models.condition import condition
from reconciler.standing import note_conditions, remove_host
from reconciler.status import condition_text
from reconciler.words import ago


class HostForm(ModelForm):
    """The form of a host. It shows no password in a URL that is not accepted, which a program may have stored."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        if self.instance.url:
            self.initial["url"] = self.instance.shown_url


@admin.register(Host)
class HostAdmin(admin.ModelAdmin):
    """Hosts: where their Engine is, and how the last pass went.

    People who may only view hosts see that a host fails. What its Engine or the worker's file system said is
    shown to those who may change hosts.
    """

    form = HostForm

    list_display = ("name", "engine", "shown_condition", "success", "trouble", "watched")
    list_filter = ("enabled",)
    search_fields = ("name", "url")
    edited = ("name", "url", "enabled", "tls_ca", "tls_cert", "tls_key")
    found = (
        ("shown_condition", "engine_id"),
        ("succeeded", "attempted"),
        ("trouble", "erred"),
        ("failures", "next_try"),
        ("held_reason", "held"),
        ("watched", "since", "watcher"),
        ("events_seen", "passes_asked"),
        ("drift_found", "drifted"),
    )
    found_by_viewers = (
        ("condition_word", "engine_id"),
        ("succeeded", "attempted"),
        ("failures", "next_try"),
        ("watched", "since", "watcher"),
        ("events_seen", "passes_asked"),
        ("drift_found", "drifted"),
    )
    fieldsets: ClassVar = [(None, {"fields": edited}), ("How it is doing", {"fields": found})]
    readonly_fields = tuple(name for row in found for name in row)
    empty_value_display = "—"
    succeeded = moment_of("last_success_at", "last success")
    attempted = moment_of("last_attempt_at", "last attempt")
    erred = moment_of("last_error_at", "last error")
    next_try = moment_of("retry_at", "next try")
    held = moment_of("held_since", "held since")
    since = moment_of("watching_since", "watched since")
    drifted = moment_of("drift_found_at", "drift found")
    actions = ("reconcile_now",)

    class Media:
        css: ClassVar = {"all": ["reconciler/admin.css"]}

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        viewers = ("name", "engine", "condition_word", "success", "watched")
        return self.list_display if self.has_change_permission(request) else viewers

    def get_fieldsets(self, request: HttpRequest, obj: Host | None = None) -> Any:
        if obj is None or self.has_change_permission(request, obj):
            return self.fieldsets
        viewed = ("name", "engine", "enabled")
        return [(None, {"fields": viewed}), ("How it is doing", {"fields": self.found_by_viewers})]

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        return self.search_fields if self.has_change_permission(request) else ("name",)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # by a filter in the address one could guess, piece by piece, what is not shown
        allowed = self.has_change_permission(request) or lookup.partition("__")[0] in self.list_filter
        return allowed and super().lookup_allowed(lookup, value, request)

    def get_readonly_fields(self, request: HttpRequest, obj: Host | None = None) -> tuple[str, ...]:
        # the name is the key, so changing it would make another host
        return (*self.readonly_fields, "name") if obj else self.readonly_fields

    def has_ask_permission(self, request: HttpRequest) -> bool:
        """Tell whether a user may ask for a pass: an operator may, and whoever may change hosts."""
        return request.user.has_perm("reconciler.ask_for_pass") or self.has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Host | None = None) -> bool:
        # row ids depend on it
        return (obj is None or obj.name != LOCAL_HOST) and super().has_delete_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: Host, form: ModelForm, change: bool) -> None:
        """Write only what was edited, because a pass may have written the rest since the form was read (I6)."""
        with transaction.atomic():
            obj.save(update_fields=form.changed_data if change else None)
            note_conditions(timezone.now(), [obj.name])

    def delete_model(self, request: HttpRequest, obj: Host) -> None:
        remove_host(obj, timezone.now())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Host]) -> None:
        for host in queryset:
            remove_host(host, timezone.now())

    @admin.display(description="last success", ordering="last_success_at")
    def success(self, row: Host) -> SafeString | str:
        shown = ago(row.last_success_at)
        if row.enabled and row.is_stale(timezone.now()):
            return _coloured(Condition.STALE, shown)
        return shown

    @admin.display(description="condition", ordering="last_error")
    def shown_condition(self, row: Host) -> SafeString | str:
        now = timezone.now()
        return _coloured(condition(row, now), condition_text(row, now))

    @admin.display(description="condition")
    def condition_word(self, row: Host) -> SafeString | str:
        found = condition(row, timezone.now())
        return _coloured(found, found.value)

    @admin.display(description="engine", ordering="url")
    def engine(self, row: Host) -> str:
        return row.shown_url or "DOCKER_HOST"

    @admin.display(description="watched")
    def watched(self, row: Host) -> str:
        # in words, because a red cross would look like an error for a host that is off, or that only ticks look at
        return "yes" if row.is_watched(timezone.now()) else "no"

    @admin.display(description="error since then", ordering="last_error")
    def trouble(self, row: Host) -> SafeString | str:
        return _coloured(Condition.FAILING, row.last_error) if row.last_error else "—"

    @admin.action(description="Reconcile now", permissions=["ask"])
    def reconcile_now(self, request: HttpRequest, queryset: QuerySet[Host]) -> None:
        asked: list[str] = []
        try:
            for host in queryset.filter(enabled=True):
                request_pass(host.name)
                self.log_change(request, host, "Asked for a pass.")
                asked.append(host.name)
        except CannotAsk as error:
            self.message_user(request, str(error), messages.ERROR)
        if asked:
            self.message_user(request, f"A pass was asked for: {', '.join(asked)}", messages.SUCCESS)
        if off := list(queryset.filter(enabled=False).values_list("name", flat=True)):
            text = f"Not looked at, because they are off: {', '.join(off)}. Enable them first"
            self.message_user(request, text, messages.WARNING)


def _coloured(found: Condition, text: str) -> SafeString | str:
    """Return a text in the colour of its condition."""
    level = level_of_condition(found)
    return text if level is Level.WELL else format_html('<span class="level-{}">{}</span>', level, text)
