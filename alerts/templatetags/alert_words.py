"""Moments and durations in messages."""

from datetime import datetime, timedelta

from django.template import Library

from alerts.core import titles

register = Library()


@register.filter
def moment(at: datetime) -> str:
    """Show a moment in UTC."""
    return titles.moment(at)


@register.filter
def duration(length: timedelta) -> str:
    """Show how long something lasted."""
    return titles.duration(length)


@register.filter
def counted(number: int) -> str:
    """Show a number with its thousands apart."""
    return f"{number:,}"
