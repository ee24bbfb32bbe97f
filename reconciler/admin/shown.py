"""How the admin shows moments, and the base of admins that cannot change anything."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, cast

from django.contrib import admin
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import smart_split, unescape_string_literal

from reconciler.words import ago_text, utc_text


class KeysFirst(Paginator):
    """Finds the keys of a page first, so that what is shown beside the columns is worked out for its rows alone."""

    def page(self, number: int | str) -> Page:
        page, rows = super().page(number), cast("QuerySet[Any]", self.object_list)
        keys = list(cast("QuerySet[Any]", page.object_list).values_list("pk", flat=True))
        page.object_list = rows.filter(pk__in=keys)
        return page


class ReadOnlyAdmin(admin.ModelAdmin):
    """An admin for rows that can be looked at and not changed."""

    list_title = ""
    empty_value_display = "—"
    show_full_result_count = False
    list_per_page = 100
    paginator = KeysFirst

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


def words_of(search_term: str) -> Iterator[str]:
    """Yield the words of a search; what stands in quotation marks is one word, as everywhere in Django's admin."""
    for word in smart_split(search_term):
        is_quoted = word.startswith(('"', "'")) and word[0] == word[-1]
        yield unescape_string_literal(word) if is_quoted else word


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
