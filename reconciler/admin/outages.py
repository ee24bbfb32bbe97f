"""Outages in the admin: they can be looked at and not changed."""

from django.contrib import admin
from django.http import HttpRequest

from reconciler.admin.shown import ReadOnlyAdmin, moment_of
from reconciler.models import Outage


@admin.register(Outage)
class OutageAdmin(ReadOnlyAdmin):
    """When hosts could not be seen. What an Engine said is shown to those who may change hosts."""

    list_title = "When hosts could not be seen"
    list_display = ("host_name", "kind", "began", "noticed", "ended", "reason")
    list_display_links = None
    list_filter = ("kind",)
    began = moment_of("began_at", "last seen before", ordering="began_at")
    noticed = moment_of("noticed_at", "noticed", ordering="noticed_at")
    ended = moment_of("ended_at", "seen again", ordering="ended_at")

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        return self.list_display if request.user.has_perm("reconciler.change_host") else self.list_display[:-1]

    @admin.display(description="host", ordering="host_id")
    def host_name(self, outage: Outage) -> str:
        return str(outage.host_id)
