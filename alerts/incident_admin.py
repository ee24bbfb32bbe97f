"""Incidents and silences in the admin: incidents can be looked at and acknowledged, silences made and ended."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone

from alerts import api
from alerts.models import Incident, Silence


@admin.register(Incident)
class IncidentAdmin(admin.ModelAdmin):
    """What is or was wrong. Who may change incidents acknowledges them."""

    list_display = ("condition", "subject", "host", "severity", "phase", "since", "resolved_at", "acknowledged_by")
    list_filter = ("phase", "severity", "condition")
    search_fields = ("subject", "host", "workload_id")
    show_full_result_count = False
    empty_value_display = "—"
    actions = ("acknowledge",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # what the judge has written is looked at; acknowledging has a permission of its own
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Hide what an Engine said from those who may not change hosts, as the other pages do."""
        return () if request.user.has_perm("reconciler.change_host") else ("cause",)

    def has_acknowledge_permission(self, request: HttpRequest) -> bool:
        """Tell whether a user may acknowledge incidents."""
        return request.user.has_perm("alerts.change_incident")

    @admin.action(description="Acknowledge", permissions=["acknowledge"])
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[Incident]) -> None:
        """Note who looks after incidents that are not over."""
        count = api.acknowledge(list(queryset.values_list("pk", flat=True)), by=request.user.get_username())
        self.message_user(request, f"Acknowledged: {count}", messages.SUCCESS if count else messages.WARNING)


@admin.register(Silence)
class SilenceAdmin(admin.ModelAdmin):
    """Of what nobody is told for a while."""

    list_display = ("__str__", "begins_at", "ends_at", "reason", "by")
    list_filter = ("condition",)
    search_fields = ("host", "workload_id", "reason")
    actions = ("end_now",)

    def save_model(self, request: HttpRequest, obj: Silence, form: ModelForm, change: bool) -> None:
        """Note who has made it."""
        obj.by = obj.by or request.user.get_username()
        super().save_model(request, obj, form, change)

    @admin.action(description="End now", permissions=["change"])
    def end_now(self, request: HttpRequest, queryset: QuerySet[Silence]) -> None:
        """Let silences end: what still stands is told then."""
        for silence in queryset:
            silence.end(timezone.now())
        self.message_user(request, "Ended", messages.SUCCESS)
