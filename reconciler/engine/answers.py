"""Decodes what a daemon says about itself and about its errors. Does no I/O."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated

import msgspec

from reconciler.core.labels import text_problem
from reconciler.core.listing import begins
from reconciler.engine.errors import Trouble, one_line

MAX_ENGINE_ID_CHARS = 255


class _Component(msgspec.Struct):
    Name: str = ""


class Version(msgspec.Struct):
    """The answer of /version."""

    ApiVersion: Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{1,3}\.[0-9]{1,3}\Z")]
    Version: str = ""
    Components: list[_Component] | None = None

    @property
    def is_podmans(self) -> bool:
        """Tell whether Podman answered, which has an API that is compatible with Docker's."""
        return any(component.Name == "Podman Engine" for component in self.Components or ())


class _Info(msgspec.Struct):
    ID: str = ""


class _Message(msgspec.Struct):
    message: str


_version = msgspec.json.Decoder(Version)
_info = msgspec.json.Decoder(_Info)
_message = msgspec.json.Decoder(_Message)


def decode_version(body: bytes) -> Version:
    """Return what /version says. Raises Trouble."""
    try:
        return _version.decode(body)
    except (ValueError, RecursionError) as error:
        raise Trouble(f"answered /version with something unusable: {error}{begins(body)}") from error


def decode_engine_id(body: bytes) -> str:
    """Return the ID in the answer of /info. Raises Trouble if there is none, because nobody knows then who answered."""
    try:
        engine_id = _info.decode(body).ID
    except (ValueError, RecursionError) as error:
        raise Trouble(f"answered /info with something unusable: {error}{begins(body)}") from error
    if not engine_id:
        raise Trouble("answered /info without an ID")
    if problem := text_problem(engine_id, MAX_ENGINE_ID_CHARS):
        raise Trouble(f"answered /info with an ID that is {problem}")
    return engine_id


def said(body: bytes) -> str:
    """Return the message in the body of an error, or else the beginning of that body."""
    try:
        return f": {one_line(_message.decode(body).message)}"
    except (ValueError, RecursionError):
        return begins(body)


def decode_date(header: str) -> datetime | None:
    """Return the moment in a `Date` header, to the second; None if it cannot be read."""
    try:
        return parsedate_to_datetime(header).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
