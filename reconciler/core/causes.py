"""Why a row changes, in words that a person can read and every database can store.

Pure: imports no framework, reads no clock, does no I/O.
"""

from datetime import datetime

from msgspec.structs import astuple

from reconciler.core.dispatch import Row
from reconciler.core.labels import MAX_VALUE_CHARS, text_problem
from reconciler.core.last_inspect import LastInspect
from reconciler.core.observation import Observation


def differences(before: Row, after: Row) -> str:
    """Return in words each column that differs, with its old and new value."""
    parts = []
    for column, old, new in zip(Row.__struct_fields__, astuple(before), astuple(after), strict=True):
        if old == new:
            continue
        if column == "container_id":
            parts.append(f"container {short(str(old)) or 'none'} → {short(str(new))}")
        else:
            parts.append(f"{column} {_shown(old)} → {_shown(new)}")
    return ", ".join(parts)


def news(known: LastInspect | None, told: LastInspect) -> str:
    """Return in words each detail that differs, with its old and new value."""
    old = (known or LastInspect()).facts
    return ", ".join(
        f"{name} {_shown(old[name])} → {_shown(new)}" for name, new in told.facts.items() if old[name] != new
    )


def display_name(observation: Observation) -> str:
    """Return a container's name in a form that every database can store, since a daemon may send any bytes."""
    return storable(observation.name or "no name")


def storable(text: str) -> str:
    """Return a text in a form that every database can store."""
    return text if text_problem(text) is None else ascii(text[:MAX_VALUE_CHARS])[1:-1]


def by_whom(by: str) -> str:
    """Return in words who did something, to be put behind what was done."""
    return f" by {storable(by)}" if by else ""


def short(container_id: str) -> str:
    """Return a container id as Docker shortens it."""
    return container_id[:12]


def _shown(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return "none" if value in ("", None) else value
