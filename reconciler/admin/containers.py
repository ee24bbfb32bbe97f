"""The index, for looking only."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from reconciler.admin.shown import ReadOnlyAdmin, age, state_badge, unknown_badge
from reconciler.models import UNKNOWN, Container, Workload, orphan_condition, unknown_condition

UNHEALTHY = format_html(' <span class="state state-failed">{}</span>', "unhealthy")


class TruthFilter(SimpleListFilter):
    """Containers that want a second look, whatever their state."""

    title = "what is known"
    parameter_name = "truth"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("unknown", "unknown: host does not answer"), ("looping", "in a restart loop")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Container]) -> QuerySet[Container]:
        if self.value() == "unknown":
            return queryset.filter(unknown_condition(timezone.now()))
        if self.value() == "looping":
            return queryset.filter(restarts_lately__gte=settings.RESTART_LOOP_COUNT)
        return queryset


class OrphanFilter(SimpleListFilter):
    """Containers whose workload does not exist."""

    title = "workload"
    parameter_name = "orphan"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "gone (orphans)")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Container]) -> QuerySet[Container]:
        return queryset.filter(orphan_condition()) if self.value() == "yes" else queryset


@admin.register(Container)
class ContainerAdmin(ReadOnlyAdmin):
    """The index: its rows belong to the reconciler and the deployer."""

    list_display = ("id", "shown_state", "seen", "shown_workload", "role", "host", "image", "shown_port", "container")
    list_filter = ("state", TruthFilter, "workload_kind", ("host", admin.RelatedOnlyFieldListFilter), OrphanFilter)
    # a join would hide orphans, and Django makes one for every relation shown unless told which
    list_select_related = ("host",)
    search_fields = ("id", "container_id", "image_ref", "workload__id", "workload_name", "role")
    search_help_text = "Search by row id, container id, image, workload or role"
    fields = (
        ("id", "shown_state", "health"),
        ("shown_workload", "workload_kind", "role"),
        ("host", "container_id"),
        ("image_ref", "image_tag"),
        ("port", "subdomain", "proxy_route_id", "npm_proxy_id"),
        ("started_at", "finished_at", "restart_count"),
        ("exit_code", "oom_killed", "history"),
        ("seen", "created_at", "updated_at"),
    )
    readonly_fields = ("shown_state", "shown_workload", "history", "seen", "created_at", "updated_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Container]:
        # a join would hide orphans, so the name comes by a subquery
        name = Workload.objects.filter(id=OuterRef("workload_id")).values("name")
        rows = Container.objects.with_effective_state().with_restarts()
        return rows.annotate(workload_name=Subquery(name)).order_by(*self.get_ordering(request))

    @admin.display(description="state", ordering="state")
    def shown_state(self, row: Container) -> SafeString:
        if row.effective_state == UNKNOWN:  # type: ignore[attr-defined]
            return unknown_badge(row.state, row.unknown_since)  # type: ignore[attr-defined]
        badge = state_badge(row.state)
        if row.restarts_lately >= settings.RESTART_LOOP_COUNT:  # type: ignore[attr-defined]
            minutes = settings.RESTART_LOOP_SECONDS / 60
            title = f"{row.restarts_lately} restarts within {minutes:g} minutes"  # type: ignore[attr-defined]
            badge += format_html(' <span class="state state-restarting" title="{}">restart loop</span>', title)
        return badge + UNHEALTHY if row.health == "unhealthy" else badge

    @admin.display(description="history")
    def history(self, row: Container) -> SafeString:
        url = reverse("admin:reconciler_transition_changelist")
        return format_html('<a href="{}?{}">what became of it</a>', url, urlencode({"row__exact": row.id}))

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
