"""The `filters` query of `/events` and `/containers/json`. Unknown filters are refused, as a daemon does."""

from collections.abc import Mapping
from typing import Any

import msgspec

from simulator.container import Container

Filters = Mapping[str, frozenset[str]]

EVENT_FILTERS = frozenset({"type", "event", "container"})
LISTING_FILTERS = frozenset({"id", "label", "name", "status"})


def parse_filters(text: str | None, known: frozenset[str]) -> Filters:
    """Read `{"type": ["container"]}` or the older `{"type": {"container": true}}`. Raise ValueError otherwise."""
    if not text:
        return {}
    filters: dict[str, list[str] | dict[str, bool]] = msgspec.json.decode(
        text, type=dict[str, list[str] | dict[str, bool]]
    )
    for name in filters:
        if name not in known:
            raise ValueError(f"invalid filter '{name}'")
    return {name: frozenset(values) for name, values in filters.items()}


def event_passes(event: Mapping[str, Any], filters: Filters) -> bool:
    """Tell whether a stream wants this event; `health_status` wants `health_status: healthy` too."""
    offered = {
        "type": {event["Type"]},
        "event": {event["Action"], event["Action"].partition(":")[0]},
        "container": {event["Actor"]["ID"], event["Actor"]["Attributes"]["name"]},
    }
    return all(wanted & offered[name] for name, wanted in filters.items())


def container_passes(container: Container, filters: Filters) -> bool:
    """Tell whether a listing wants this container: it needs one value of each filter, and all labels."""
    offered = {"status": container.state, "id": container.id, "name": container.name}
    labels = {f"{name}={value}" for name, value in container.labels.items()} | set(container.labels)
    return filters.get("label", frozenset()) <= labels and all(
        any(value in offered[name] for value in wanted) for name, wanted in filters.items() if name != "label"
    )
