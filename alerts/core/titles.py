"""The words of a message: its subject, and how moments and durations are said. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from alerts.core.letter import Entries, Entry, Letter

LONGEST_NAME = 40
"""A phone shows about so many characters of a subject."""
_UNITS = ((2 * 86_400, 86_400, "days"), (3_600, 3_600, "h"), (60, 60, "min"), (0, 1, "s"))
"""From how many seconds on which unit is used, and how many seconds it has."""


def subject_of(letter: Letter) -> str:
    """Return the subject: what is the matter comes first, because a phone shows only the beginning."""
    if letter.is_test:
        return "Test: alerts of the container index arrive here"
    if letter.begun.count:
        also_over = f", {letter.over.count:,} over" if letter.over.count else ""
        return f"✗ {_said(letter.begun, letter.host)}{also_over}"
    if letter.over.count:
        remain = f", {letter.stands.count:,} still there" if letter.stands.count else ""
        return f"✓ {_over(letter.over, letter.host)}{remain}"
    return f"✗ still: {_said(letter.stands, letter.host)}"


def short_name(name: str) -> str:
    """Return a name on one line, cut if it is long."""
    line = " ".join(name.split())
    return line if len(line) <= LONGEST_NAME else f"{line[: LONGEST_NAME - 1]}…"


def duration(length: timedelta) -> str:
    """Return how long something lasted, as people say it."""
    seconds = max(0, round(length.total_seconds()))
    _, size, unit = next(each for each in _UNITS if seconds >= each[0])
    return f"{seconds // size:,} {unit}"


def moment(at: datetime) -> str:
    """Return a moment in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _said(entries: Entries, host: str) -> str:
    if entries.count == 1 and entries.told:
        entry = entries.told[0]
        return f"{short_name(entry.what)} {entry.short}{_at(entry, host)}"
    return f"{_counted(entries)}{_on(host)}"


def _over(entries: Entries, host: str) -> str:
    if entries.count == 1 and entries.told:
        entry = entries.told[0]
        return f"{short_name(entry.what)}{_at(entry, host)}: over after {duration(entry.lasted)}"
    return f"{entries.count:,} alerts over{_on(host)}"


def _counted(entries: Entries) -> str:
    """Return how many there are, and what is wrong with all of them if it is the same."""
    (short, *others) = _in_order([entry.short for entry in entries.told]) or ["alerts"]
    return f"{entries.count:,} {short}" if not others and not entries.left_out else f"{entries.count:,} alerts"


def _in_order(words: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(words))


def _at(entry: Entry, host: str) -> str:
    return "" if entry.what in (host, f"host {host}") else _on(host)


def _on(host: str) -> str:
    return f" · {short_name(host)}" if host else ""
