"""The text of a cursor: a place in one database's feed, which readers keep and do not look into.

Pure: imports no framework, reads no clock, does no I/O.
"""

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import NamedTuple

from reconciler.exceptions import BadCursor

_VERSION = 1
_FORM = struct.Struct(">BQQ")
_LENGTH_CHARS = 23
"""What base64 makes of the form; the one `=` that fills it up is left out."""


class Cursor(NamedTuple):
    """A place in the feed: after the entry with the id `position`, in the database that drew this `epoch`."""

    epoch: int
    position: int


def encode(cursor: Cursor) -> str:
    """Return a cursor as text that can stand in a URL."""
    return urlsafe_b64encode(_FORM.pack(_VERSION, *cursor)).decode().rstrip("=")


def decode(text: str) -> Cursor:
    """Return the cursor that a text stands for. Raises BadCursor."""
    if len(text) != _LENGTH_CHARS or not text.isascii():
        raise BadCursor
    try:
        version, *cursor = _FORM.unpack(urlsafe_b64decode(f"{text}="))
    except (ValueError, struct.error) as error:
        raise BadCursor from error
    found = Cursor(*cursor)
    # there is one text for each cursor, and base64 reads others as well
    if version != _VERSION or encode(found) != text:
        raise BadCursor
    return found
