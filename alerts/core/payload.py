"""The body of a webhook. Pure."""

import json
from dataclasses import replace
from typing import Any

from alerts.core.letter import Entries, Entry, Letter
from alerts.core.titles import subject_of

LONGEST_BODY = 20_000
"""In bytes, as Standard Webhooks advises."""
LONGEST_TEXT = 500


def body_of(letter: Letter) -> bytes:
    """Return the letter as JSON. As many incidents are told one by one as there is room for."""
    while len(body := _encoded(letter)) > LONGEST_BODY:
        letter = replace(letter, begun=_fewer(letter.begun), over=_fewer(letter.over), stands=_fewer(letter.stands))
    return body


def _fewer(entries: Entries) -> Entries:
    return replace(entries, told=entries.told[: len(entries.told) // 2])


def _encoded(letter: Letter) -> bytes:
    return json.dumps(_told(letter), ensure_ascii=False, separators=(",", ":")).encode()


def _told(letter: Letter) -> dict[str, Any]:
    return {
        "type": "tinyforge.test" if letter.is_test else "tinyforge.incidents",
        "timestamp": letter.at.isoformat(),
        "data": {
            "id": letter.id,
            "title": subject_of(letter),
            "severity": letter.severity,
            "host": letter.host,
            "link": letter.link,
            "begun": _list(letter.begun),
            "over": _list(letter.over),
            "stands": _list(letter.stands),
        },
    }


def _list(entries: Entries) -> dict[str, Any]:
    return {"count": entries.count, "told": [_entry(entry) for entry in entries.told]}


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "incident": entry.incident,
        "condition": entry.condition,
        "what": entry.what[:LONGEST_TEXT],
        "where": entry.where[:LONGEST_TEXT],
        "text": entry.sentence[:LONGEST_TEXT],
        "why": [reason[:LONGEST_TEXT] for reason in entry.why],
        "since": entry.since.isoformat(),
        "over_at": entry.over_at.isoformat() if entry.over_at else None,
        "lasted_seconds": round(entry.lasted.total_seconds()) if entry.over_at else None,
        "link": entry.link,
    }
