"""Containers in the admin: they can be looked at and not changed."""

import re
from typing import Any, ClassVar

from django.conf import settings
from django.contrib import admin
from django.contrib.admin import RelatedFieldListFilter, SimpleListFilter
from django.contrib.admin.utils import quote, unquote
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from reconciler.admin.shown import ReadOnlyAdmin, moment_of, words_of
from reconciler.models import UNKNOWN, Container, Host, Trouble, Workload
from reconciler.models.trouble import TROUBLE_WORDS, trouble_condition
from reconciler.words import (
    ago,
    end_badge,
    has_ended,
    health_badge,
    loop_badge,
    state_badge,
    trouble_badge,
    unknown_badge,
)

DEPLOYING = format_html(' <span class="quiet">{}</span>', "deploying")
REGISTRY = re.compile(r"^(localhost|[^/]*[.:][^/]*)/")


class TroubleFilter(SimpleListFilter):
    """Filter for containers that somebody should look at, whatever their state."""

    title = "trouble"
    parameter_name = "truth"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind.value, words) for kind, words in TROUBLE_WORDS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Container]) -> QuerySet[Container]:
        kind = self.value() or ""
        return queryset.filter(trouble_condition(Trouble(kind), timezone.now())) if kind in [*Trouble] else queryset


class HostFilter(RelatedFieldListFilter):
    """Filter by host, among those that have rows."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        # Django's own reads every row of both tables
        has_rows = Exists(Container.objects.filter(host=OuterRef("name")).order_by())
        names = Host.objects.filter(has_rows).order_by("name").values_list("name", flat=True)
        return [(name, name) for name in names]


@admin.register(Container)
class ContainerAdmin(ReadOnlyAdmin):
    """Containers: their rows belong to the reconciler and the deployer."""

    list_title = "Containers"
    list_display = ("id", "shown_state", "seen", "shown_workload", "role", "host", "image", "shown_port", "container")
    list_filter = (TroubleFilter, "state", "workload_kind", ("host", HostFilter))
    # a join would hide orphans, and unless told which, Django joins every relation that is shown
    list_select_related = ("host",)
    search_fields = ("id",)
    search_help_text = "Search by row id, the beginning of a container id, image, workload, role or host"
    said = (
        ("shown_state", "shown_health"),
        ("started", "finished"),
        ("ended", "restarts"),
        ("last_seen", "history"),
    )
    known = (
        ("shown_workload", "workload_kind"),
        ("role", "host"),
        ("full_container_id",),
        ("image_ref", "image_tag"),
        ("shown_port", "subdomain"),
        ("proxy_route_id", "npm_proxy_id"),
        ("created", "updated"),
    )
    fieldsets: ClassVar = [("What its Engine says", {"fields": said}), ("What it is", {"fields": known})]
    readonly_fields = tuple(name for row in (*said, *known) for name in row)

    started = moment_of("started_at", "started")
    finished = moment_of("finished_at", "finished")
    last_seen = moment_of("last_seen_at", "last seen")
    created = moment_of("created_at", "row made")
    updated = moment_of("updated_at", "row changed")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Container]:
        # a join would hide orphans, so the name comes by a subquery
        name = Workload.objects.filter(id=OuterRef("workload_id")).values("name")
        rows = Container.objects.with_effective_state().with_restarts().with_deploying()
        return rows.annotate(workload_name=Subquery(name)).order_by(*self.get_ordering(request))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Container], search_term: str
    ) -> tuple[QuerySet[Container], bool]:
        """Find rows that hold each word, as the pages do."""
        for word in words_of(search_term):
            queryset = queryset.search(word)  # type: ignore[attr-defined]
        return queryset, False

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Lead to the row's transitions, because Django's own history of it is always empty: nobody edits rows."""
        return HttpResponseRedirect(history_url(unquote(object_id)))

    @admin.display(description="state", ordering="state")
    def shown_state(self, row: Container) -> SafeString:
        if row.effective_state == UNKNOWN:  # type: ignore[attr-defined]
            return unknown_badge(row.state, row.unknown_since)  # type: ignore[attr-defined]
        badge = state_badge(row.state, row.exit_code)
        if has_ended(row.state):
            badge += end_badge(row.exit_code, row.oom_killed)
        if row.restarts_lately >= settings.RESTART_LOOP_COUNT:  # type: ignore[attr-defined]
            badge += loop_badge(row.restarts_lately)  # type: ignore[attr-defined]
        if row.is_deploying:  # type: ignore[attr-defined]
            badge += DEPLOYING
        return badge + health_badge(row.health)

    @admin.display(description="health check")
    def shown_health(self, row: Container) -> str:
        return row.health or "—"

    @admin.display(description="exit code")
    def ended(self, row: Container) -> SafeString:
        killed = trouble_badge(Trouble.OOM, "OOM-killed") if row.oom_killed else ""
        return format_html("{}{}", "—" if row.exit_code is None else row.exit_code, killed)

    @admin.display(description="restarts")
    def restarts(self, row: Container) -> str:
        return "—" if row.restart_count is None else f"{row.restart_count} by its restart policy"

    @admin.display(description="history")
    def history(self, row: Container) -> SafeString:
        return format_html('<a href="{}">what became of it</a>', history_url(row.id))

    @admin.display(description="workload", ordering="workload_id")
    def shown_workload(self, row: Container) -> SafeString:
        name = getattr(row, "workload_name", None)
        if name is None:
            return format_html('<span class="orphan">{} (gone)</span>', row.workload_id)
        url = reverse("admin:reconciler_workload_change", args=[quote(row.workload_id)])
        return format_html('<a href="{}">{}</a>', url, name or row.workload_id)

    @admin.display(description="image", ordering="image_ref")
    def image(self, row: Container) -> SafeString:
        # the style sheet cuts off a long name at its beginning, because the tag is what changes
        name = REGISTRY.sub("", row.image_ref, count=1)
        return format_html('<span class="cut" title="{}"><bdi>{}</bdi></span>', row.image_ref, name or "—")

    @admin.display(description="port", ordering="port")
    def shown_port(self, row: Container) -> str:
        return str(row.port or "—")

    @admin.display(description="container", ordering="container_id")
    def container(self, row: Container) -> SafeString:
        return format_html("<code>{}</code>", row.container_id[:12] or "—")

    @admin.display(description="container id")
    def full_container_id(self, row: Container) -> SafeString:
        return format_html("<code>{}</code>", row.container_id or "—")

    @admin.display(description="last seen", ordering="last_seen_at")
    def seen(self, row: Container) -> SafeString | str:
        return ago(row.last_seen_at)


def history_url(row_id: str) -> str:
    """Return the address of a row's history."""
    return f"{reverse('admin:reconciler_transition_changelist')}?{urlencode({'row__exact': row_id})}"
