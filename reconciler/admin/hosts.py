"""Hosts: to look at, to edit, and to have looked at now."""

from typing import ClassVar

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from kombu.exceptions import OperationalError

from reconciler import tasks
from reconciler.admin.shown import age
from reconciler.exceptions import LockUnavailable
from reconciler.lock import Ask
from reconciler.models import Host
from reconciler.reconcile import MANUAL
from reconciler.status import condition


@admin.register(Host)
class HostAdmin(admin.ModelAdmin):
    """Hosts: where their Engine is, and how the last pass went."""

    list_display = ("name", "engine", "enabled", "shown_condition", "success", "watched", "trouble")
    list_filter = ("enabled",)
    search_fields = ("name", "url")
    fields = (
        "name",
        "url",
        ("tls_ca", "tls_cert", "tls_key"),
        "enabled",
        ("shown_condition", "engine_id"),
        ("success", "last_success_at", "last_attempt_at"),
        ("trouble", "last_error_at"),
        ("failures", "retry_at"),
        ("held_reason", "held_since"),
        ("watched", "watching_since"),
        ("events_seen", "passes_asked"),
        ("drift_found", "drift_found_at"),
    )
    # all but what a person decides
    readonly_fields = tuple(name for row in fields[4:] for name in row)
    actions = ("reconcile_now",)

    class Media:
        css: ClassVar = {"all": ["reconciler/admin.css"]}

    def get_readonly_fields(self, request: HttpRequest, obj: Host | None = None) -> tuple[str, ...]:
        # the name is the key: changing it would make another host
        return (*self.readonly_fields, "name") if obj else self.readonly_fields

    @admin.display(description="last success", ordering="last_success_at")
    def success(self, row: Host) -> SafeString | str:
        shown = age(row.last_success_at)
        if row.enabled and row.is_stale(timezone.now(), settings.RECONCILE_INTERVAL):
            return format_html('<span class="trouble">{}</span>', shown)
        return shown

    @admin.display(description="condition", ordering="last_error")
    def shown_condition(self, row: Host) -> SafeString | str:
        said = condition(row, timezone.now())
        return said if said in ("fresh", "off") else format_html('<span class="trouble">{}</span>', said)

    @admin.display(description="engine", ordering="url")
    def engine(self, row: Host) -> str:
        return row.url or "DOCKER_HOST"

    @admin.display(description="watched", boolean=True)
    def watched(self, row: Host) -> bool:
        return row.is_watched(timezone.now())

    @admin.display(description="error since then", ordering="last_error")
    def trouble(self, row: Host) -> SafeString | str:
        return format_html('<span class="trouble">{}</span>', row.last_error) if row.last_error else "—"

    @admin.action(description="Reconcile now", permissions=["change"])
    def reconcile_now(self, request: HttpRequest, queryset: QuerySet[Host]) -> None:
        names = list(queryset.values_list("name", flat=True))
        try:
            for name in names:
                tasks.ask(name, Ask(MANUAL))
        except (LockUnavailable, OperationalError) as error:
            self.message_user(request, f"Nothing was asked of the workers: {error}", messages.ERROR)
        else:
            self.message_user(request, f"A pass was asked for: {', '.join(names)}", messages.SUCCESS)
