"""What a deployer says of a row before there is a container, and which of it can be used.

Pure: imports no framework, reads no clock, does no I/O.
"""

import re
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import asdict

from reconciler.core.labels import MAX_VALUE_CHARS, text_problem
from reconciler.core.observation import MAX_NUMBER
from reconciler.core.row_ids import LOCAL_HOST, MAX_HOST_CHARS, MAX_ROW_ID_CHARS
from reconciler.exceptions import BadValue

MAX_COLUMN_CHARS = 255
CONTAINER_ID = re.compile(r"[0-9a-f]{64}")

Value = Annotated[str, Meta(max_length=MAX_VALUE_CHARS)]
Column = Annotated[str, Meta(max_length=MAX_COLUMN_CHARS)]


class Placeholder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a row is for, and the deployer's own columns. What is not given stays as it is, or is empty in a new row."""

    workload: Annotated[str, Meta(min_length=1, max_length=MAX_VALUE_CHARS, description="The workload's id.")]
    host: Annotated[
        str, Meta(min_length=1, max_length=MAX_HOST_CHARS, description="The host that the container will be on.")
    ] = LOCAL_HOST
    workload_kind: Value | UnsetType = UNSET
    role: Value | UnsetType = UNSET
    image_tag: Column | UnsetType = UNSET
    subdomain: Column | UnsetType = UNSET
    proxy_route_id: Column | UnsetType = UNSET
    npm_proxy_id: Annotated[int, Meta(ge=0, le=MAX_NUMBER)] | UnsetType = UNSET

    def given(self) -> dict[str, Any]:
        """Return what is given, by the names of the columns of a row."""
        given = {name: value for name, value in asdict(self).items() if value is not UNSET}
        return {"workload_id": given.pop("workload"), "host_id": given.pop("host"), **given}


def check_placeholder(row_id: str, placeholder: Placeholder) -> None:
    """Raise BadValue if no row can have this id, or if something that is said of it cannot be stored."""
    check_text("the row id", row_id, MAX_ROW_ID_CHARS)
    given = {name: value for name, value in asdict(placeholder).items() if value is not UNSET}
    try:
        msgspec.convert(given, Placeholder)
    except msgspec.ValidationError as error:
        raise BadValue(f"the placeholder is not usable: {error}") from error
    for name, value in given.items():
        if isinstance(value, str) and value:
            check_text(name, value, MAX_COLUMN_CHARS)
    # no other at sign is in a row id, because those of labels are escaped
    before, sign, host = row_id.rpartition("@")
    if sign and (not before or host != placeholder.host or host == LOCAL_HOST):
        raise BadValue(f"row {row_id!r} is on host {host!r} by its id, and the placeholder is for {placeholder.host!r}")


def check_container_id(container_id: str) -> None:
    """Raise BadValue if this is not the whole id of a container."""
    if not CONTAINER_ID.fullmatch(container_id):
        raise BadValue(f"{container_id[:80]!r} is no container id: give all its 64 hexadecimal digits, in lower case")


def check_text(what: str, value: str, most_chars: int) -> None:
    """Raise BadValue if a text is empty, or cannot be stored on every database."""
    problem = text_problem(value, most_chars) if value else "empty"
    if problem:
        raise BadValue(f"{what} {value[:80]!r} cannot be used: {problem}")
