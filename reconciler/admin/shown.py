"""How the admin shows moments, and the base of admins that cannot change anything."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from reconciler.words import ago_text, utc_text


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


def moment_of(column: str, label: str, ordering: str | None = None) -> Callable[[Any, Any], SafeString | str]:
    """Return a column for an admin: a moment, to compare with logs, and how far from now it is."""

    @admin.display(description=label, ordering=ordering)
    def shown(_: Any, row: Any) -> SafeString | str:
        moment = getattr(row, column)
        if moment is None:
            return "—"
        return format_html(
            '<span class="moment">{}</span> <span class="quiet">{}</span>', utc_text(moment), ago_text(moment)
        )

    return shown
