"""How a row's id is put together, so that two different meanings never make the same id (I20).

Pure: imports no framework, reads no clock, does no I/O.

    workload:role    workload:site    workload:container id    each with :number, with @host, or with both
    instance         with :number

Colons and the at sign are the index's own, so a text that comes from a label or a table is escaped in the way of URLs:
`%`, `:` and `@` become `%25`, `%3A` and `%40`. The index puts three kinds of words into ids by itself: `site`, numbers
and container ids. A role that is such a word is told from them by an escaped first character: `%73ite`, `%32`.
"""

import re
from functools import lru_cache
from urllib.parse import unquote

from reconciler.core.labels import MAX_VALUE_CHARS

LOCAL_HOST = "local"
MAX_HOST_CHARS = 63
MAX_ROW_ID_CHARS = 2 * MAX_VALUE_CHARS + MAX_HOST_CHARS + len("::99999@")
"""The longest id is workload:role:number@host."""

SITE_WORD = "site"
_ESCAPES = str.maketrans({"%": "%25", ":": "%3A", "@": "%40"})
_CONTAINER_ID = re.compile(r"[0-9a-f]{64}")
_OWN_WORD = re.compile(rf"{SITE_WORD}|[0-9]+|{_CONTAINER_ID.pattern}")


def instance_row_id(instance_id: str) -> str:
    """Return the id of an instance's row, which is unique on all hosts."""
    return _escaped(instance_id)


def role_row_id(workload_id: str, role: str) -> str:
    """Return the id of the row of a workload's role, such as a Compose service."""
    return f"{_escaped(workload_id)}:{_role_word(role)}"


@lru_cache(maxsize=1024)
def _role_word(role: str) -> str:
    """Return a role as it stands in a row's id. Few roles are in use, and each is asked for often."""
    return f"%{ord(role[0]):02X}{role[1:]}" if _OWN_WORD.fullmatch(role) else _escaped(role)


def site_row_id(workload_id: str) -> str:
    """Return the id of a site's row."""
    return f"{_escaped(workload_id)}:{SITE_WORD}"


def container_row_id(workload_id: str, container_id: str) -> str | None:
    """Return the id of the row of a container without a role; None if its own id is not 64 hexadecimal digits."""
    if not _CONTAINER_ID.fullmatch(container_id):
        return None
    return f"{_escaped(workload_id)}:{container_id}"


def complete_row_id(row_id: str, replica: int, host: str | None) -> str:
    """Return the id with the replica's number and the host; None for an instance, whose id is the same on all hosts."""
    numbered = f"{row_id}:{replica}" if replica > 1 else row_id
    return numbered if host in (None, LOCAL_HOST) else f"{numbered}@{host}"


def replica_of(row_id: str) -> int:
    """Return the replica's number in a row's id; the first one has none in it."""
    _, colon, last = _without_host(row_id).rpartition(":")
    return int(last) if colon and last.isdigit() else 1


def instance_of(row_id: str) -> str | None:
    """Return the instance whose row has this id, or None if it is another kind of row."""
    first, *others = _without_host(row_id).split(":")
    return unquote(first) if not others or (len(others) == 1 and others[0].isdigit()) else None


def _without_host(row_id: str) -> str:
    return row_id.partition("@")[0]


def _escaped(text: str) -> str:
    # three searches for one character take less than one for any of them
    return text.translate(_ESCAPES) if "%" in text or ":" in text or "@" in text else text
