"""Builders of what messages say."""

from datetime import UTC, datetime, timedelta

from alerts.core.letter import Entries, Entry, Letter

NOW = datetime(2026, 11, 25, 14, 30, tzinfo=UTC)


def entry(what: str = "shop:web", **more: object) -> Entry:
    """Return an incident as a message tells it: a row of berlin that is gone for twelve minutes."""
    given: dict[str, object] = {
        "incident": 7,
        "short": "missing",
        "sentence": "gone from its host",
        "since": NOW - timedelta(minutes=12),
        "condition": "missing",
        "where": "berlin",
    }
    return Entry(what=what, **(given | more))  # type: ignore[arg-type]


def entries(*told: Entry, left_out: int = 0) -> Entries:
    """Return incidents of which some are not told one by one."""
    return Entries(told, len(told) + left_out)


def letter(**more: object) -> Letter:
    """Return a message about berlin."""
    given: dict[str, object] = {"id": "0192-id", "severity": "page", "host": "berlin", "at": NOW}
    return Letter(**(given | more))  # type: ignore[arg-type]
