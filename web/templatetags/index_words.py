"""The words of the index in templates: what `reconciler.words` says, and the addresses of pages."""

from datetime import datetime
from typing import Any

from django import template
from django.contrib.admin.utils import quote
from django.urls import reverse
from django.utils.safestring import SafeString

from reconciler import words
from reconciler.levels import Level, level_of
from reconciler.models import Condition, Outage, Trouble
from web.pages.filters import Filters
from web.pages.row import Row

register = template.Library()


@register.filter
def ago(moment: datetime | None, otherwise: str = "never") -> SafeString | str:
    """Return how long ago a moment was; something else if there is none."""
    return words.ago(moment) if moment else otherwise


@register.filter
def clock(moment: datetime | None) -> SafeString | str:
    """Return a moment."""
    return words.clock(moment)


@register.filter
def lasted(outage: Outage) -> str:
    """Return how long an outage lasted; empty if it is not over."""
    return words.duration(outage.ended_at - outage.began_at) if outage.ended_at else ""


@register.filter
def exit_words(exit_code: int) -> str:
    """Return an exit code with what it usually means."""
    return words.exit_words(exit_code)


@register.filter
def condition(found: Condition) -> SafeString:
    """Return the badge of a host's condition."""
    return words.condition_badge(found)


@register.filter
def state(row: Row) -> SafeString:
    """Return the badges of a row: its state or that it is not known, how it ended, and what its health check says."""
    if row.is_unknown:
        return words.unknown_badge(row.state, row.unknown_since)
    level = level_of(Trouble.STUCK) if row.trouble is Trouble.STUCK else None
    badge = words.state_badge(row.state, row.exit_code, level)
    if words.has_ended(row.state):
        badge += words.end_badge(row.exit_code, row.oom_killed)
    if row.trouble is Trouble.LOOPING:
        badge += words.loop_badge(row.restarts_lately)
    badge += words.health_badge(row.health)
    return badge


@register.filter
def level(row: Row) -> Level:
    """Return how bad a row's trouble is."""
    return level_of(row.trouble) if row.trouble else Level.WELL


@register.filter
def container_url(row_id: str) -> str:
    """Return the address of a row's page."""
    return reverse("container", args=[row_id])


@register.filter
def workload_url(workload_id: str) -> str:
    """Return the address of a workload's page."""
    return reverse("workload", args=[workload_id])


@register.filter
def host_url(name: str) -> str:
    """Return the address of a host's page."""
    return reverse("host", args=[name])


@register.simple_tag
def admin_url(model: str, key: str) -> str:
    """Return the address of a thing in the admin."""
    return reverse(f"admin:reconciler_{model}_change", args=[quote(key)])


@register.simple_tag
def address(filters: Filters, **changed: Any) -> str:
    """Return the query of an address that asks for the same, but for what is changed."""
    return filters.address(**changed)
