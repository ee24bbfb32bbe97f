"""What a request says, read strictly: every parameter and every member of a body is known, of its type and bounded."""

from typing import Annotated, TypeVar, get_origin

import msgspec
from django.core.exceptions import TooManyFieldsSent
from django.http import HttpRequest, QueryDict
from msgspec import Meta, Struct

from web.problems import Problem, Refused

MOST_BODY_BYTES = 64 * 1024
MOST_VALUES = 100

Read = TypeVar("Read", bound=Struct)
Text = Annotated[str, Meta(max_length=255, pattern=r"^[^\x00]*$")]
"""What every database can look for: PostgreSQL takes no NUL."""
Texts = Annotated[
    tuple[Text, ...], Meta(max_length=MOST_VALUES, description="Any of these: may be given several times.")
]


def read_query(request: HttpRequest, kind: type[Read]) -> Read:
    """Return the parameters of a request. Raises Refused."""
    try:
        return msgspec.convert(_given(request.GET, kind), kind, strict=False)
    except TooManyFieldsSent as error:
        raise Refused(Problem.BAD_REQUEST, "the query has too many parameters") from error
    except msgspec.ValidationError as error:
        raise Refused(Problem.BAD_REQUEST, f"the query is not usable: {error}") from error


def read_body(request: HttpRequest, kind: type[Read]) -> Read:
    """Return the JSON in a request's body. Raises Refused."""
    length = str(request.META.get("CONTENT_LENGTH") or "0")
    if not length.isdecimal() or int(length) > MOST_BODY_BYTES:
        raise Refused(Problem.TOO_LARGE, f"a body has at most {MOST_BODY_BYTES} bytes")
    try:
        return msgspec.json.decode(request.body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(Problem.BAD_REQUEST, f"the body is not usable: {error}") from error


def _given(parameters: QueryDict, kind: type[Struct]) -> dict[str, str | list[str]]:
    several = {field.encode_name for field in msgspec.structs.fields(kind) if _takes_several(field.type)}
    given: dict[str, str | list[str]] = {}
    for name, values in parameters.lists():
        if name not in several and len(values) > 1:
            raise Refused(Problem.BAD_REQUEST, f"the query is not usable: {name!r} is given {len(values)} times")
        given[name] = values if name in several else values[0]
    return given


def _takes_several(annotation: object) -> bool:
    inner = getattr(annotation, "__origin__", None) if get_origin(annotation) is Annotated else annotation
    return get_origin(inner) is tuple
