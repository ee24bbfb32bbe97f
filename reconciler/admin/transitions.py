"""History in the admin: it can be looked at and not changed."""

from typing import Any, cast

from django.contrib import admin
from django.contrib.admin import ChoicesFieldListFilter, DateFieldListFilter
from django.contrib.admin.utils import quote
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from reconciler import words
from reconciler.admin.shown import ReadOnlyAdmin, moment_of, words_of
from reconciler.models import Transition
from reconciler.models.transition import MOST_SEARCHED, TransitionQuerySet


class StateFilter(ChoicesFieldListFilter):
    """Filter by the state that a row changed to."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "new state"


class WhenFilter(DateFieldListFilter):
    """Filter by how long ago a change was."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "when"


@admin.register(Transition)
class TransitionAdmin(ReadOnlyAdmin):
    """The history: which row changed its state, health or container, when and why."""

    list_display = ("when", "shown_row", "change", "cause", "trigger", "host_name", "container")
    list_display_links = None
    list_filter = (("to_state", StateFilter), "oom_killed", ("at", WhenFilter))
    search_fields = ("row__id",)
    search_help_text = (
        f"Search the newest {MOST_SEARCHED:,} of these by row id, the beginning of a container id, or cause"
    )
    when = moment_of("at", "when", ordering="id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Transition]:
        # the feed has more entries; what they tell stands in the row itself
        return Transition.objects.steps().order_by(*self.get_ordering(request))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Transition], search_term: str
    ) -> tuple[QuerySet[Transition], bool]:
        """Find steps that hold each word, among the newest that the filters let through."""
        steps = cast("TransitionQuerySet", queryset)
        if search_term.strip():
            steps = steps.filter(id__gt=steps.first_left_out(MOST_SEARCHED))
        for word in words_of(search_term):
            steps = steps.search(word)
        return steps, False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Put into the title whose history it is."""
        row = request.GET.get("row__exact")
        title = f"History of {row}" if row else "History of all containers"
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    @admin.display(description="row", ordering="row_id")
    def shown_row(self, transition: Transition) -> SafeString:
        url = reverse("admin:reconciler_container_change", args=[quote(transition.row_id)])
        return format_html('<a href="{}">{}</a>', url, transition.row_id)

    @admin.display(description="change", ordering="to_state")
    def change(self, transition: Transition) -> SafeString:
        return words.change(transition)

    @admin.display(description="host", ordering="host_id")
    def host_name(self, transition: Transition) -> str:
        return str(transition.host_id)

    @admin.display(description="container", ordering="container_id")
    def container(self, transition: Transition) -> SafeString:
        return format_html("<code>{}</code>", transition.container_id[:12] or "—")
