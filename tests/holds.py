"""Time for what is held: a test that needs HOLD_SECONDS to pass lets what is remembered be older."""

from dataclasses import replace
from datetime import timedelta

from reconciler import store
from reconciler.models import Host


def age_holds(seconds: float) -> None:
    """Make what every host remembers of its listings older by so many seconds."""
    by = timedelta(seconds=seconds)
    for name in Host.objects.values_list("name", flat=True):
        memory = store.host_record(name).memory
        older = replace(
            memory,
            held=tuple(replace(held, since=held.since - by) for held in memory.held),
            swept=tuple(replace(swept, at=swept.at - by) for swept in memory.swept),
        )
        Host.objects.filter(name=name).update(**store.memory_columns(older))
