"""The admin: containers to look at, hosts and what is deployed to edit."""

from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin import SimpleListFilter
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from kombu.exceptions import OperationalError

from reconciler import tasks
from reconciler.exceptions import LockUnavailable
from reconciler.lock import Ask
from reconciler.models import Container, Host, Instance, Stack, State, Workload, orphan_condition
from reconciler.reconcile import MANUAL

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


UNHEALTHY = format_html(' <span class="state state-failed">{}</span>', "unhealthy")


class OrphanFilter(SimpleListFilter):
    """Containers whose workload does not exist."""

    title = "workload"
    parameter_name = "orphan"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "gone (orphans)")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Container]) -> QuerySet[Container]:
        return queryset.filter(orphan_condition()) if self.value() == "yes" else queryset


@admin.register(Container)
class ContainerAdmin(admin.ModelAdmin):
    """The index, for looking only: its rows belong to the reconciler and the deployer."""

    list_display = ("id", "shown_state", "seen", "shown_workload", "role", "host", "image", "shown_port", "container")
    list_filter = ("state", "workload_kind", ("host", admin.RelatedOnlyFieldListFilter), OrphanFilter)
    # a join would hide orphans, and Django makes one for every relation shown unless told which
    list_select_related = ("host",)
    search_fields = ("id", "container_id", "image_ref", "workload__id", "workload_name", "role")
    search_help_text = "Search by row id, container id, image, workload or role"
    show_full_result_count = False
    list_per_page = 100
    fields = (
        ("id", "shown_state", "health"),
        ("shown_workload", "workload_kind", "role"),
        ("host", "container_id"),
        ("image_ref", "image_tag"),
        ("port", "subdomain", "proxy_route_id", "npm_proxy_id"),
        ("seen", "created_at", "updated_at"),
    )
    readonly_fields = ("shown_state", "shown_workload", "seen", "created_at", "updated_at")

    class Media:
        css: ClassVar = {"all": ["reconciler/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Container]:
        # a join would hide orphans, so the name comes by a subquery
        name = Workload.objects.filter(id=OuterRef("workload_id")).values("name")
        rows: QuerySet[Container] = super().get_queryset(request)
        return rows.annotate(workload_name=Subquery(name))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Container | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Container | None = None) -> bool:
        return False

    @admin.display(description="state", ordering="state")
    def shown_state(self, row: Container) -> SafeString:
        badge = state_badge(row.state)
        return badge + UNHEALTHY if row.health == "unhealthy" else badge

    @admin.display(description="workload", ordering="workload_id")
    def shown_workload(self, row: Container) -> SafeString:
        name = getattr(row, "workload_name", None)
        if name is None:
            return format_html('<span class="orphan">{} (gone)</span>', row.workload_id)
        url = reverse("admin:reconciler_workload_change", args=[row.workload_id])
        return format_html('<a href="{}">{}</a>', url, name or row.workload_id)

    @admin.display(description="image", ordering="image_ref")
    def image(self, row: Container) -> SafeString:
        # a long name is cut off by the style sheet, at its beginning: the tag is what changes
        name = row.image_ref.removeprefix("docker.io/")
        return format_html('<span class="cut" title="{}"><bdi>{}</bdi></span>', row.image_ref, name or "—")

    @admin.display(description="port", ordering="port")
    def shown_port(self, row: Container) -> str:
        return str(row.port or "—")

    @admin.display(description="container", ordering="container_id")
    def container(self, row: Container) -> SafeString:
        return format_html("<code>{}</code>", row.container_id[:12] or "—")

    @admin.display(description="last seen", ordering="last_seen_at")
    def seen(self, row: Container) -> SafeString | str:
        return age(row.last_seen_at)


@admin.register(Host)
class HostAdmin(admin.ModelAdmin):
    """Hosts: where their Engine is, and how the last pass went."""

    list_display = ("name", "engine", "enabled", "success", "watched", "trouble")
    list_filter = ("enabled",)
    search_fields = ("name", "url")
    fields = (
        "name",
        "url",
        "enabled",
        ("success", "last_success_at", "last_attempt_at"),
        ("trouble", "last_error_at"),
        ("watched", "watching_since"),
        ("events_seen", "passes_asked"),
        ("drift_found", "drift_found_at"),
    )
    # all but what a person decides
    readonly_fields = tuple(name for row in fields[3:] for name in row)
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


@admin.register(Workload)
class WorkloadAdmin(admin.ModelAdmin):
    """Workloads."""

    list_display = ("id", "name", "kind", "ref_id")
    list_filter = ("kind",)
    search_fields = ("id", "name", "ref_id")


@admin.register(Instance)
class InstanceAdmin(admin.ModelAdmin):
    """Instances of projects."""

    list_display = ("id", "project_id", "stage", "image_tag", "port", "subdomain")
    list_filter = ("stage",)
    search_fields = ("id", "project_id", "subdomain")


@admin.register(Stack)
class StackAdmin(admin.ModelAdmin):
    """Compose stacks."""

    list_display = ("id", "name", "compose_project_name")
    search_fields = ("id", "name", "compose_project_name")


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


def age(moment: datetime | None) -> SafeString | str:
    """Return how long ago a moment was, with the moment itself as a tooltip."""
    if moment is None:
        return "never"
    seconds = (timezone.now() - moment).total_seconds()
    text = f"{seconds:.0f} s ago" if seconds < 60 else f"{timesince(moment, depth=1)} ago"
    return format_html('<span title="{}">{}</span>', moment.isoformat(timespec="seconds"), text)
