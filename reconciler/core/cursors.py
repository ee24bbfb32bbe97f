"""The text of a cursor: a place in the feed of one database. Readers keep it and need not understand it.

Pure: imports no framework, reads no clock, does no I/O.
"""

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import NamedTuple

from reconciler.exceptions import BadCursor

_VERSION = 1
_FORM = struct.Struct(">BQQ")
_LENGTH_CHARS = 23
"""The length of the form in base64, without the one `=` at its end."""


class Cursor(NamedTuple):
    """A place in the feed: after the entry with the id `position`, in the database that has this `epoch`."""

    epoch: int
    position: int


def encode(cursor: Cursor) -> str:
    """Return a cursor as text that can stand in a URL."""
    return urlsafe_b64encode(_FORM.pack(_VERSION, *cursor)).decode().rstrip("=")


def decode(text: str) -> Cursor:
    """Return the cursor of a text. Raises BadCursor."""
    if len(text) != _LENGTH_CHARS or not text.isascii():
        raise BadCursor
    try:
        version, *cursor = _FORM.unpack(urlsafe_b64decode(f"{text}="))
    except (ValueError, struct.error) as error:
        raise BadCursor from error
    found = Cursor(*cursor)
    # base64 accepts several texts for one cursor; here only one of them counts
    if version != _VERSION or encode(found) != text:
        raise BadCursor
    return found
