"""The history, for looking only."""

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from reconciler.admin.shown import ReadOnlyAdmin, age, state_badge
from reconciler.models import Transition


@admin.register(Transition)
class TransitionAdmin(ReadOnlyAdmin):
    """The history: which row changed its state or container, when and why."""

    list_display = ("when", "shown_row", "change", "exit", "restarts", "cause", "trigger", "host_name", "container")
    list_display_links = None
    list_filter = ("to_state", "oom_killed", "at")
    search_fields = ("row__id", "container_id", "cause")
    search_help_text = "Search by row id, container id or cause"

    @admin.display(description="when", ordering="at")
    def when(self, transition: Transition) -> SafeString | str:
        return age(transition.at)

    @admin.display(description="row", ordering="row_id")
    def shown_row(self, transition: Transition) -> SafeString:
        url = reverse("admin:reconciler_container_change", args=[transition.row_id])
        return format_html('<a href="{}">{}</a>', url, transition.row_id)

    @admin.display(description="change", ordering="to_state")
    def change(self, transition: Transition) -> SafeString:
        return format_html("{} → {}", state_badge(transition.from_state), state_badge(transition.to_state))

    @admin.display(description="exit code", ordering="exit_code")
    def exit(self, transition: Transition) -> SafeString | str:
        code = "—" if transition.exit_code is None else str(transition.exit_code)
        return format_html('{} <span class="state state-failed">OOM</span>', code) if transition.oom_killed else code

    @admin.display(description="host", ordering="host_id")
    def host_name(self, transition: Transition) -> str:
        return str(transition.host_id)

    @admin.display(description="container", ordering="container_id")
    def container(self, transition: Transition) -> SafeString:
        return format_html("<code>{}</code>", transition.container_id[:12] or "—")
