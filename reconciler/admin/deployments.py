"""Deployments in the admin: they can be looked at, and ended."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from reconciler.admin.shown import ReadOnlyAdmin, moment_of
from reconciler.api import end_deployment
from reconciler.models import Deployment
from reconciler.models.deployment import DeploymentState
from reconciler.words import deployment_badge


@admin.register(Deployment)
class DeploymentAdmin(ReadOnlyAdmin):
    """What is being deployed, and what was. Who may change deployments may end one that somebody has forgotten."""

    list_title = "Deployments"
    list_display = ("target", "stands", "began", "latest", "ended", "by")
    list_display_links = None
    search_fields = ("workload_id", "row_id", "by")
    search_help_text = "Search by workload, row id or who deploys"
    actions = ("end_now",)
    began = moment_of("began_at", "began", ordering="began_at")
    latest = moment_of("ends_at", "ends by itself", ordering="ends_at")
    ended = moment_of("ended_at", "ended", ordering="ended_at")

    def has_end_permission(self, request: HttpRequest) -> bool:
        """Tell whether a user may end a deployment."""
        return request.user.has_perm("reconciler.change_deployment")

    @admin.display(description="state")
    def stands(self, lease: Deployment) -> SafeString:
        is_under_way = lease.is_under_way(timezone.now())
        return deployment_badge(DeploymentState.DEPLOYING if is_under_way else DeploymentState.DEPLOYED)

    @admin.action(description="End now", permissions=["end"])
    def end_now(self, request: HttpRequest, queryset: QuerySet[Deployment]) -> None:
        ended = []
        for lease in queryset.filter(ended_at=None):
            by = f"{request.user.get_username()} in the admin"
            if end_deployment(workload=lease.workload_id, row=lease.row_id, by=by):
                self.log_change(request, lease, "Ended.")
                ended.append(lease.target)
        if ended:
            self.message_user(request, f"Ended: {', '.join(ended)}", messages.SUCCESS)
        else:
            self.message_user(request, "None of them is under way", messages.WARNING)
